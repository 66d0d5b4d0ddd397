//! `eventcore_read_all(with_checkpoint => true)`: a reader learns how far it has read, even if no
//! event matches.

use serde_json::json;

use crate::support::{Client, append, database, event};

/// The positions of the events, and of the checkpoint after them.
async fn read(client: &Client, arguments: &str) -> (Vec<i64>, i64) {
    let sql = format!("SELECT * FROM eventcore_read_all({arguments}, with_checkpoint => true)");
    let rows = client.query(&sql, &[]).await.unwrap();
    let (checkpoint, events) = rows.split_last().expect("no checkpoint");
    for column in 1..checkpoint.len() {
        let name = checkpoint.columns()[column].name();
        let null = format!(
            "SELECT bool_and({name} IS NULL) FROM eventcore_read_all({arguments}, with_checkpoint => true) r WHERE stream_id IS NULL"
        );
        let row = client.query_one(&null, &[]).await.unwrap();
        assert!(row.get::<_, bool>(0), "{name}");
    }
    let positions = events.iter().map(|row| row.get("position")).collect();
    (positions, checkpoint.get("position"))
}

#[tokio::test]
async fn the_last_row_says_how_far_was_read() {
    let (_, client) = database("read_checkpoint").await;
    assert_eq!(read(&client, "0").await, (vec![], 0));
    let mut w = Vec::new();
    for stream in ["a", "b", "a", "b", "c"] {
        let written = append(&client, &[(stream, None)], json!([event(stream, 1)])).await;
        w.push(written.unwrap().positions.unwrap().0);
    }
    let safe = w[4];
    assert_eq!(read(&client, "0").await, (w.clone(), safe));
    assert_eq!(read(&client, &format!("{safe}")).await, (vec![], safe));
    assert_eq!(read(&client, "0, 2").await, (w[..2].to_vec(), w[1]));
    assert_eq!(read(&client, "0, 0").await, (vec![], 0));
    // A filter that matches nothing finishes the read; with a limit, the read stops when the limit
    // is reached.
    let none = "0, stream_prefixes => '{none}'";
    assert_eq!(read(&client, none).await, (vec![], safe));
    let some = "0, 1, stream_prefixes => '{b}'";
    assert_eq!(read(&client, some).await, (vec![w[1]], w[1]));
    // Never backwards, even where nothing can exist yet.
    assert_eq!(read(&client, "1000").await, (vec![], 1_000));
}

/// Reads backward from the end with this limit and filter, page by page, until nothing is before it.
async fn pages(client: &Client, rest: &str) -> Vec<(Vec<i64>, i64)> {
    let mut pages = Vec::new();
    let mut from = 0;
    while from != 1 {
        let page = read(client, &format!("{from}, backward => true, {rest}")).await;
        assert!(page.1 >= 1 && (from == 0 || page.1 <= from), "{page:?}");
        from = page.1;
        pages.push(page);
    }
    pages
}

#[tokio::test]
async fn backward_the_last_row_says_from_where_on_everything_was_read() {
    let (_, client) = database("read_checkpoint_backward").await;
    let all = "max_count => NULL";
    assert_eq!(pages(&client, all).await, [(vec![], 1)]);
    for stream in ["a", "b", "a", "b", "c"] {
        let written = append(&client, &[(stream, None)], json!([event(stream, 1)])).await;
        written.unwrap();
    }
    assert_eq!(pages(&client, all).await, [(vec![5, 4, 3, 2, 1], 1)]);
    let two = [(vec![5, 4], 4), (vec![3, 2], 2), (vec![1], 1)];
    assert_eq!(pages(&client, "max_count => 2").await, two);
    let none = "stream_prefixes => '{none}'";
    assert_eq!(pages(&client, none).await, [(vec![], 1)]);
    let some = "max_count => 1, stream_prefixes => '{b}'";
    let found = [(vec![4], 4), (vec![2], 2), (vec![], 1)];
    assert_eq!(pages(&client, some).await, found);
    let nothing = "backward => true, max_count => 0";
    assert_eq!(read(&client, &format!("0, {nothing}")).await, (vec![], 6));
    assert_eq!(read(&client, &format!("3, {nothing}")).await, (vec![], 3));
}

#[tokio::test]
async fn a_selective_read_stops_after_100_000_events_and_goes_on_from_there() {
    let (_, client) = database("read_checkpoint_bound").await;
    let fill = "SELECT last_position FROM eventcore_append('{many}', '{NULL}', array_fill('many'::text, ARRAY[40000]),
                    array_fill('T'::text, ARRAY[40000]), array_fill('1'::jsonb, ARRAY[40000]), NULL)";
    let mut last = 0;
    for _ in 0..3 {
        last = client.query_one(fill, &[]).await.unwrap().get(0);
    }
    let (events, checkpoint) = read(&client, "0, event_types => '{none}'").await;
    assert!(events.is_empty());
    assert_eq!(checkpoint, 100_000);
    let rest = format!("{checkpoint}, event_types => '{{none}}'");
    assert_eq!(read(&client, &rest).await, (vec![], last));
    let backward = "event_types => '{none}'";
    let found = [(vec![], last - 99_999), (vec![], 1)];
    assert_eq!(pages(&client, backward).await, found);
    // Without a checkpoint to report, it does not stop.
    let sql = "SELECT count(*) FROM eventcore_read_all(0, NULL, false, NULL, '{T}')";
    assert_eq!(crate::support::value::<i64>(&client, sql).await, 120_000);
}
