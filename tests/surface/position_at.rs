//! `eventcore_position_at`: reading after it begins with the events of a time.

use serde_json::json;

use crate::support::{Client, append, connect, database, event, value};

async fn position_at(client: &Client, time: &str) -> i64 {
    value(client, &format!("SELECT eventcore_position_at({time})")).await
}

/// Events as a restore writes them: a minute between two, at positions with gaps.
async fn fill(client: &Client, count: i64) {
    let fill = format!(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT n * n, n, timestamptz '2026-01-01 00:00Z' + n * interval '1 min', gen_random_uuid(), 's', 'T', '{{}}'
           FROM generate_series(1, {count}) n"
    );
    client.batch_execute(&fill).await.unwrap();
}

#[tokio::test]
async fn it_is_the_position_before_the_first_event_of_the_time_or_later() {
    let (_, client) = database("position_at").await;
    assert_eq!(position_at(&client, "now()").await, 0);
    fill(&client, 300).await;
    for n in [1, 2, 3, 150, 299, 300] {
        let time = format!("timestamptz '2026-01-01 00:00Z' + {n} * interval '1 min'");
        let before = (n - 1) * (n - 1);
        assert_eq!(position_at(&client, &time).await, before, "{n}");
        let later = format!("{time} + interval '1 s'");
        assert_eq!(position_at(&client, &later).await, n * n, "{n}");
    }
    assert_eq!(position_at(&client, "'-infinity'").await, 0);
    assert_eq!(position_at(&client, "'infinity'").await, 90_000);
}

/// A reader that begins after it must not be refused.
#[tokio::test]
async fn it_is_never_above_the_safe_position() {
    let (url, client) = database("position_at_safe").await;
    append(&client, &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap();
    let open = connect(&url).await;
    open.batch_execute("BEGIN").await.unwrap();
    append(&open, &[("b", Some(0))], json!([event("b", 1)]))
        .await
        .unwrap();
    append(&client, &[("a", Some(1))], json!([event("a", 2)]))
        .await
        .unwrap();
    assert_eq!(position_at(&client, "'infinity'").await, 1);
    let read = "SELECT count(*) FROM eventcore_read_all(eventcore_position_at('infinity'))";
    assert_eq!(value::<i64>(&client, read).await, 0);
    open.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(position_at(&client, "'infinity'").await, 3);
}
