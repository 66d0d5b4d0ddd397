//! `eventcore_read_all(with_checkpoint => true)`: a reader learns how far it has read, even if no
//! event matches.

use serde_json::json;

use crate::support::{Client, append, database, event, failure};

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
    let backward = "SELECT * FROM eventcore_read_all(backward => true, with_checkpoint => true)";
    let detail = failure(client.batch_execute(backward).await).assert_ours("SE003");
    assert_eq!(detail["argument"], "with_checkpoint");
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
    // Without a checkpoint to report, it does not stop.
    let sql = "SELECT count(*) FROM eventcore_read_all(0, NULL, false, NULL, '{T}')";
    assert_eq!(crate::support::value::<i64>(&client, sql).await, 120_000);
}
