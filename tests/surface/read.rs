//! Reading streams.

use serde_json::json;
use tokio_postgres::types::ToSql;

use crate::support::{Client, Stored, append, event, read, session, value};

/// A stream with the versions 1 to `count`, of the types Even and Odd.
async fn fill(client: &Client, name: &str, count: i64) {
    let events: Vec<_> = (1..=count)
        .map(|n| {
            let event_type = if n % 2 == 0 { "Even" } else { "Odd" };
            json!({"stream": name, "type": event_type, "payload": n})
        })
        .collect();
    append(client, &[(name, Some(0))], json!(events))
        .await
        .unwrap();
}

async fn versions(client: &Client, sql: &str, arguments: &[&(dyn ToSql + Sync)]) -> Vec<i64> {
    read(client, sql, arguments)
        .await
        .iter()
        .map(|event| event.version)
        .collect()
}

#[tokio::test]
async fn a_stream_is_read_forward_backward_limited_paged_and_filtered() {
    let client = session().await;
    fill(&client, "directions", 10).await;
    let table: [(&str, &[i64]); 24] = [
        ("", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (", 7", &[8, 9, 10]),
        (", 10", &[]),
        (", 9223372036854775807", &[]),
        (", max_count => 3", &[1, 2, 3]),
        (", max_count => 0", &[]),
        (
            ", max_count => 2147483647",
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        ),
        (", 4, 2", &[5, 6]),
        (", backward => true", &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (", 4, backward => true", &[3, 2, 1]),
        (", 1, backward => true", &[]),
        (", 100, 2, true", &[10, 9]),
        (", 0, 3, true", &[10, 9, 8]),
        (", 0, 0, true", &[]),
        (", event_types => '{Even}'", &[2, 4, 6, 8, 10]),
        (", event_types => '{Even,Odd}', max_count => 2", &[1, 2]),
        (", event_types => '{Even}', max_count => 2", &[2, 4]),
        (", 4, 2, event_types => '{Even}'", &[6, 8]),
        (", event_types => '{}'", &[]),
        (", event_types => '{even}'", &[]),
        (", event_types => '{E,Eve,Eve_,%}'", &[]),
        (
            ", event_types => '{Odd,Odd,None}', backward => true, max_count => 2",
            &[9, 7],
        ),
        (", 3, 1, true, '{Odd}'", &[1]),
        (", 2, 2, false, '{Odd}'", &[3, 5]),
    ];
    for (arguments, expected) in table {
        let sql = format!("SELECT * FROM eventcore_read_stream('directions'{arguments})");
        assert_eq!(versions(&client, &sql, &[]).await, expected, "{sql}");
    }
    for name in ["directions-", "direction", "Directions"] {
        let other = versions(&client, "SELECT * FROM eventcore_read_stream($1)", &[&name]).await;
        assert!(other.is_empty(), "{name}: {other:?}");
    }
}

#[tokio::test]
async fn a_stream_is_read_page_by_page_from_either_end() {
    let client = session().await;
    fill(&client, "paged", 23).await;
    for (backward, all) in [
        (false, (1..=23).collect::<Vec<_>>()),
        (true, (1..=23).rev().collect()),
    ] {
        let mut seen: Vec<i64> = Vec::new();
        loop {
            let after = seen.last().copied().unwrap_or(0);
            let sql = "SELECT * FROM eventcore_read_stream('paged', $1, 5, $2)";
            let page = versions(&client, sql, &[&after, &backward]).await;
            if page.is_empty() || seen.len() > 30 {
                break;
            }
            seen.extend(page);
            if backward && seen.last() == Some(&1) {
                break;
            }
        }
        assert_eq!(seen, all);
    }
}

#[tokio::test]
async fn streams_are_read_in_the_order_given_each_from_its_own_version() {
    let client = session().await;
    for name in ["several-a", "several-b", "several-c"] {
        fill(&client, name, 4).await;
    }
    let table: [(&str, &[(&str, i64)]); 8] = [
        (
            "'{several-b,several-a}', '{2,3}'",
            &[("b", 3), ("b", 4), ("a", 4)],
        ),
        (
            "'{several-c,several-none,several-a}', NULL, 1",
            &[("c", 1), ("a", 1)],
        ),
        (
            "'{several-c,several-a}', '{NULL,3}', 2",
            &[("c", 1), ("c", 2), ("a", 4)],
        ),
        (
            "'{several-b,several-c}', '{0,1}', 1, '{Even}'",
            &[("b", 2), ("c", 2)],
        ),
        ("'{several-b,several-c}', '{3,4}', NULL, '{Odd}'", &[]),
        ("'{several-b,several-c}', max_count => 0", &[]),
        ("'{several-b}', '{9223372036854775807}'", &[]),
        ("'{several-b}', event_types => '{}'", &[]),
    ];
    for (arguments, expected) in table {
        let sql = format!("SELECT * FROM eventcore_read_streams({arguments})");
        let events = read(&client, &sql, &[]).await;
        let seen: Vec<(&str, i64)> = events
            .iter()
            .map(|event| (event.stream.trim_start_matches("several-"), event.version))
            .collect();
        assert_eq!(seen, expected, "{sql}");
    }
}

/// One statement reads both streams slowly: it sees an append to both in both or in none.
#[tokio::test]
async fn streams_are_read_in_one_snapshot() {
    let (reader, writer) = (session().await, session().await);
    let both = [("snap-a", None), ("snap-b", None)];
    append(
        &writer,
        &both,
        json!([event("snap-a", 0), event("snap-b", 0)]),
    )
    .await
    .unwrap();
    let write = async {
        for n in 0..200 {
            append(
                &writer,
                &both,
                json!([event("snap-a", n), event("snap-b", n)]),
            )
            .await
            .unwrap();
        }
    };
    let look = async {
        for _ in 0..100 {
            let events = read(
                &reader,
                "SELECT * FROM eventcore_read_streams('{snap-a,snap-b}')",
                &[],
            )
            .await;
            let count = |name| events.iter().filter(|event| event.stream == name).count();
            assert_eq!(count("snap-a"), count("snap-b"));
            let same: bool = value(
                &reader,
                "SELECT count(DISTINCT version) = 1 FROM eventcore_stream_versions('{snap-b,snap-a}')",
            )
            .await;
            assert!(same);
        }
    };
    tokio::join!(write, look);
}

#[tokio::test]
async fn stream_versions_answers_in_the_order_given_with_0_for_no_event() {
    let client = session().await;
    fill(&client, "heads", 3).await;
    let rows = client
        .query(
            "SELECT * FROM eventcore_stream_versions('{heads-none,heads,Heads}')",
            &[],
        )
        .await
        .unwrap();
    let rows: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [("heads-none", 0), ("heads", 3), ("Heads", 0)];
    assert_eq!(
        rows,
        expected.map(|(name, version)| (name.to_owned(), version))
    );
}

#[tokio::test]
async fn every_read_gives_the_same_ten_columns() {
    let client = session().await;
    fill(&client, "columns", 1).await;
    let mut seen: Vec<Stored> = Vec::new();
    for sql in [
        "SELECT * FROM eventcore_read_stream('columns')",
        "SELECT * FROM eventcore_read_streams('{columns}')",
        "SELECT * FROM eventcore_read_all(stream_prefixes => '{columns}', max_count => NULL)",
        "SELECT * FROM eventcore.events WHERE stream_id = 'columns'",
    ] {
        let statement = client.prepare(sql).await.unwrap();
        let mut names: Vec<&str> = statement
            .columns()
            .iter()
            .map(|column| column.name())
            .collect();
        if sql.contains("eventcore_read") {
            assert_eq!(
                names,
                [
                    "position",
                    "stream_id",
                    "version",
                    "event_id",
                    "event_type",
                    "payload",
                    "metadata",
                    "correlation_id",
                    "causation_id",
                    "recorded_at",
                ]
            );
        }
        names.sort_unstable();
        assert_eq!(names.len(), 10);
        // read_all returns only what is safe: other sessions may be in the middle of an append.
        for _ in 0..100 {
            let events = read(&client, sql, &[]).await;
            if !events.is_empty() {
                seen.extend(events);
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|event| *event == seen[0]), "{seen:#?}");
}
