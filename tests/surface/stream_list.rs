//! `eventcore_streams`: the streams with a prefix, in the order of their bytes, page by page.

use serde_json::json;

use crate::support::{Client, append, database, event, value};

async fn names(client: &Client, arguments: &str) -> Vec<String> {
    let sql = format!("SELECT stream_id FROM eventcore_streams({arguments})");
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// One event in each.
async fn fill(client: &Client, streams: &[&str]) {
    for stream in streams {
        let written = append(client, &[(stream, Some(0))], json!([event(stream, 1)])).await;
        written.unwrap();
    }
}

#[tokio::test]
async fn each_stream_comes_once_with_its_last_event_and_its_state() {
    let (_, client) = database("stream_list").await;
    assert!(names(&client, "").await.is_empty());
    fill(&client, &["b", "a", "c"]).await;
    let more = append(&client, &[("a", Some(1))], json!([event("a", 2)])).await;
    let last = more.unwrap().positions.unwrap().1;
    client
        .batch_execute(
            "INSERT INTO eventcore.streams (stream_id, state) VALUES ('c', 'closed'), ('bb', 'deleted')",
        )
        .await
        .unwrap();
    let rows = client
        .query("SELECT * FROM eventcore_streams()", &[])
        .await
        .unwrap();
    let shown: Vec<(String, i64, String, Option<i64>)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect();
    let row =
        |name: &str, version, state: &str, last| (name.to_owned(), version, state.to_owned(), last);
    assert_eq!(
        shown,
        [
            row("a", 2, "open", Some(last)),
            row("b", 1, "open", Some(1)),
            row("bb", 0, "deleted", None),
            row("c", 1, "closed", Some(3)),
        ]
    );
    let is_that_event = "SELECT (s.last_event_type, s.last_recorded_at) = (e.event_type, e.recorded_at)
          FROM eventcore_streams('a', max_count => 1) s JOIN eventcore.events e ON e.position = s.last_position";
    assert!(value::<bool>(&client, is_that_event).await);
}

#[tokio::test]
async fn a_prefix_is_compared_byte_by_byte_to_the_last_character_that_there_is() {
    let (_, client) = database("stream_list_prefix").await;
    let long = format!("x{}", "\u{10ffff}".repeat(63));
    fill(
        &client,
        &["X", "x", "x%", "xa", "x\u{10ffff}a", &long, "y", "ä"],
    )
    .await;
    client
        .batch_execute("INSERT INTO eventcore.streams (stream_id, state) VALUES ('w', 'closed'), ('xb', 'closed'), ('z', 'closed')")
        .await
        .unwrap();
    let of_x = ["x", "x%", "xa", "xb", "x\u{10ffff}a", long.as_str()];
    assert_eq!(names(&client, "'x'").await, of_x);
    assert_eq!(names(&client, "'x', max_count => NULL").await, of_x);
    assert_eq!(names(&client, "'x%'").await, ["x%"]);
    assert_eq!(names(&client, "'X'").await, ["X"]);
    assert_eq!(names(&client, "'none'").await, [""; 0]);
    let all = names(&client, "NULL, NULL").await;
    assert_eq!(all.len(), 11);
    let mut sorted = all.clone();
    sorted.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    assert_eq!(all, sorted);
}

#[tokio::test]
async fn pages_that_begin_after_the_last_stream_have_all_of_them() {
    let (_, client) = database("stream_list_pages").await;
    fill(&client, &["p-1", "p-2", "p-3", "p-4", "q"]).await;
    assert_eq!(names(&client, "'p-', max_count => 0").await, [""; 0]);
    for count in 1..6 {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let page = names(&client, &format!("'p-', '{after}', {count}")).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= count);
            after.clone_from(last);
            all.extend(page);
        }
        assert_eq!(all, ["p-1", "p-2", "p-3", "p-4"], "{count}");
    }
    // A name that is in no stream, and one beside the prefix.
    assert_eq!(names(&client, "'p-', 'p-2a'").await, ["p-3", "p-4"]);
    assert_eq!(names(&client, "'p-', 'a', 1").await, ["p-1"]);
    assert_eq!(names(&client, "'p-', 'q'").await, [""; 0]);
}

/// One page reads as many blocks in a large store as in a small one, also by a plan that was made
/// when the store was small.
#[tokio::test]
async fn a_page_skips_through_the_index_however_many_events_there_are() {
    let (_, client) = database("stream_list_cost").await;
    client
        .batch_execute("ANALYZE eventcore.events; PREPARE page AS SELECT count(*) FROM eventcore_streams('s-02', max_count => 20)")
        .await
        .unwrap();
    for _ in 0..7 {
        client.batch_execute("EXECUTE page").await.unwrap();
    }
    client
        .batch_execute(
            "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
             SELECT n, 1 + (n - 1) / 3000, now(), gen_random_uuid(), 's-' || lpad((n % 3000)::text, 4, '0'), 'T', '{}'
               FROM generate_series(1, 60000) n",
        )
        .await
        .unwrap();
    let sql = "EXPLAIN (ANALYZE, BUFFERS, FORMAT json) EXECUTE page";
    let plan: serde_json::Value = client.query_one(sql, &[]).await.unwrap().get(0);
    let plan = &plan[0]["Plan"];
    let blocks = |kind: &str| plan[kind].as_i64().unwrap();
    let read = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
    assert!(read < 1_500, "{plan}");
}
