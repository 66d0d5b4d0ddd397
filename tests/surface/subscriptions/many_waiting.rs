//! The cost of a poll when many events came back, whatever the server's statistics say about the
//! tables.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, GenericClient};

use super::{ack, create, lease, nack, poll, positions, write};
use crate::support::{append, database, event, value};

/// If the cost grows with the number of events, each step takes far less than a second; if it grows
/// with the square, many seconds.
const PATIENCE: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_lease_of_10_000_is_given_back_and_delivered_again_in_a_moment() {
    let (_, client) = database("sub_many_waiting").await;
    let streams: Vec<String> = (0..1000).map(|n| format!("s-{n}")).collect();
    let declared: Vec<_> = streams.iter().map(|s| (s.as_str(), None)).collect();
    let events: Vec<_> = (0..10_000)
        .map(|n| event(&streams[n % 1000], n as i64))
        .collect();
    append(&client, &declared, serde_json::json!(events))
        .await
        .unwrap();
    create(&client, "s", ", lease => '1 hour'").await;
    // The statistics of a quiet time: few rows.
    let few = poll(&client, "s", "c", 2).await;
    client
        .batch_execute("ANALYZE eventcore.deliveries")
        .await
        .unwrap();
    ack(&client, "s", lease(&few), None).await.unwrap();

    let all = poll(&client, "s", "c", 10_000).await;
    let begun = Instant::now();
    nack(&client, "s", lease(&all), &positions(&all), "release", "0")
        .await
        .unwrap();
    let gave_back = begun.elapsed();
    let first = poll(&client, "s", "c", 100).await;
    assert_eq!(first.len(), 100);
    let begun = Instant::now();
    let again = poll(&client, "s", "c", 100).await;
    let polled = begun.elapsed();
    assert_eq!(again.len(), 100);
    assert!(
        gave_back < PATIENCE && polled < PATIENCE,
        "{gave_back:?} {polled:?}"
    );
}

/// How many rows of the subscription tables this session has read lately.
pub(super) async fn looked_at(client: &impl GenericClient) -> i64 {
    let sql = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables
                WHERE schemaname = 'eventcore' AND relname IN ('deliveries', 'backlogs', 'parked', 'leases')";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The number of waiting streams.
pub(super) const MANY: usize = 2_000;

/// A subscription in which one event of each of many streams was given back.
pub(super) async fn many(name: &str, options: &str, action: &str, delay: &str) -> (String, Client) {
    let (url, client) = database(name).await;
    create(&client, "s", options).await;
    give_back_many(&client, action, delay).await;
    (url, client)
}

/// Gives back one event of each of many streams of the subscription `s`.
pub(super) async fn give_back_many(client: &Client, action: &str, delay: &str) {
    for part in 0..MANY / 1000 {
        let streams: Vec<String> = (0..1000).map(|n| format!("s-{part}-{n}")).collect();
        let declared: Vec<_> = streams.iter().map(|s| (s.as_str(), None)).collect();
        let events: Vec<_> = streams.iter().map(|stream| event(stream, 1)).collect();
        append(client, &declared, serde_json::json!(events))
            .await
            .unwrap();
    }
    let all = poll(client, "s", "c", 10_000).await;
    assert_eq!(all.len(), MANY);
    nack(client, "s", lease(&all), &positions(&all), action, delay)
        .await
        .unwrap();
}

/// How many pages of the indexes of what waits this session has read lately.
async fn pages(client: &impl GenericClient) -> i64 {
    let sql = "SELECT sum(pg_stat_get_xact_blocks_fetched(indexrelid))::bigint FROM pg_index
                WHERE indrelid = 'eventcore.backlogs'::regclass";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Polls and rolls back: the events, and the number of rows read.
async fn look(client: &mut Client, count: i64) -> (Vec<i64>, i64) {
    let transaction = client.transaction().await.unwrap();
    let before = looked_at(&transaction).await;
    let deliveries = poll(&transaction, "s", "c", count).await;
    let looked_at = looked_at(&transaction).await - before;
    transaction.rollback().await.unwrap();
    (positions(&deliveries), looked_at)
}

#[tokio::test]
async fn a_poll_looks_at_no_event_that_waits_for_its_delay() {
    let (_, mut client) = many("sub_many_delayed", "", "retry", "1 hour").await;
    let new = write(&client, &["new"]).await;
    let (delivered, looked_at) = look(&mut client, 10).await;
    assert_eq!(delivered, new);
    assert!(looked_at < 100, "{looked_at}");
}

#[tokio::test]
async fn a_poll_looks_at_no_stream_that_is_stopped() {
    let stop = ", on_parked => 'stop'";
    let (_, mut client) = many("sub_many_stopped", stop, "park", "0").await;
    // All of them are behind too.
    let more = "SELECT count(eventcore_append(ARRAY[stream_id], '{NULL}',
                    jsonb_build_array(jsonb_build_object('stream', stream_id, 'type', 'T', 'payload', 1))))
                  FROM (SELECT DISTINCT stream_id FROM eventcore.events) s";
    client.batch_execute(more).await.unwrap();
    while !poll(&client, "s", "c", 1_000).await.is_empty() {}
    let behind = "SELECT count(*) FROM eventcore.backlogs";
    let mut now_behind: i64 = value(&client, behind).await;
    while now_behind < MANY as i64 {
        assert!(poll(&client, "s", "c", 1_000).await.is_empty());
        now_behind = value(&client, behind).await;
    }
    let new = write(&client, &["new"]).await;
    let (delivered, looked_at) = look(&mut client, 10).await;
    assert_eq!(delivered, new);
    assert!(looked_at < 100, "{looked_at}");

    let replay = "SELECT eventcore_replay_parked('s')";
    assert_eq!(value::<i64>(&client, replay).await, MANY as i64);
    let delivered = super::drain(&client, "s").await;
    assert_eq!(delivered.len(), 2 * MANY + 1);
}

/// In the primary key, which is deeper the more there is in it, it would be twice as many.
#[tokio::test]
async fn a_poll_looks_at_one_page_for_each_new_event_to_see_whether_its_stream_waits() {
    let stop = ", on_parked => 'stop'";
    let (_, mut client) = many("sub_many_pages", stop, "park", "0").await;
    let streams: Vec<String> = (0..100).map(|n| format!("new-{n}")).collect();
    let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
    let new = write(&client, &streams).await;
    let transaction = client.transaction().await.unwrap();
    let before = pages(&transaction).await;
    let delivered = poll(&transaction, "s", "c", 100).await;
    let pages = pages(&transaction).await - before;
    transaction.rollback().await.unwrap();
    assert_eq!(positions(&delivered), new);
    assert!(pages < 150, "{pages}");
}

/// Both have the same streams, which wait in only one of them.
#[tokio::test]
async fn a_stream_that_waits_in_one_subscription_does_not_wait_in_another() {
    let stop = ", on_parked => 'stop'";
    let (_, client) = many("sub_many_two", stop, "park", "0").await;
    create(&client, "other", ", start_from => 'now'").await;
    let streams: Vec<String> = (0..100).map(|n| format!("s-0-{n}")).collect();
    let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
    let new = write(&client, &streams).await;
    let delivered = poll(&client, "other", "c", 100).await;
    assert_eq!(positions(&delivered), new);
    assert!(poll(&client, "s", "c", 100).await.is_empty());
    // The streams of a lease wait in both.
    write(&client, &streams).await;
    assert!(poll(&client, "other", "d", 100).await.is_empty());
    ack(&client, "other", lease(&delivered), None)
        .await
        .unwrap();
    assert_eq!(poll(&client, "other", "d", 100).await.len(), 100);
}

#[tokio::test]
async fn a_new_event_does_not_wait_until_all_that_came_back_is_delivered() {
    let (_, mut client) = many("sub_many_replayed", "", "park", "0").await;
    client
        .batch_execute("SELECT eventcore_replay_parked('s')")
        .await
        .unwrap();
    let new = write(&client, &["new"]).await;
    let (delivered, looked_at) = look(&mut client, 20).await;
    assert_eq!(delivered.len(), 20);
    assert!(delivered.contains(&new[0]), "{delivered:?}");
    assert!(looked_at < 500, "{looked_at}");
    // Delivered one at a time, it gets every fourth turn, at random.
    let mut found = false;
    for _ in 0..100 {
        let (delivered, looked_at) = look(&mut client, 1).await;
        assert_eq!(delivered.len(), 1);
        assert!(looked_at < 500, "{looked_at}");
        found = found || delivered == new;
    }
    assert!(found, "it is in none of 100 polls");
    let mut delivered = super::drain(&client, "s").await;
    delivered.sort_unstable();
    delivered.dedup();
    assert_eq!(delivered.len(), MANY + 1);
}

/// A scan of a whole table also visits every row that was ever acknowledged and not vacuumed away.
#[tokio::test]
async fn no_call_of_a_consumer_scans_a_whole_table() {
    let (_, client) = database("sub_by_index").await;
    write(&client, &["a", "b", "c", "d", "e", "f"]).await;
    create(&client, "s", "").await;
    let kept = poll(&client, "s", "c", 1).await;
    // The statistics of a quiet time: now the server would rather scan the tables.
    client
        .batch_execute("VACUUM ANALYZE eventcore.deliveries, eventcore.leases, eventcore.backlogs")
        .await
        .unwrap();
    let before = whole_scans(&client).await;
    for _ in 0..2 {
        let polled = poll(&client, "s", "c", 2).await;
        ack(&client, "s", lease(&polled), Some(&positions(&polled)[..1]))
            .await
            .unwrap();
        ack(&client, "s", lease(&polled), None).await.unwrap();
    }
    client
        .execute("SELECT eventcore_extend_lease('s', $1)", &[&lease(&kept)])
        .await
        .unwrap();
    nack(&client, "s", lease(&kept), &positions(&kept), "retry", "0")
        .await
        .unwrap();
    assert_eq!(
        positions(&poll(&client, "s", "c", 2).await)[0],
        positions(&kept)[0]
    );
    assert_eq!(whole_scans(&client).await, before);
}

/// How often the server has scanned a whole table of what is leased or waits.
async fn whole_scans(client: &Client) -> i64 {
    client
        .batch_execute("SELECT pg_stat_force_next_flush()")
        .await
        .unwrap();
    value(
        client,
        "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
          WHERE schemaname = 'eventcore' AND relname IN ('deliveries', 'leases', 'backlogs')",
    )
    .await
}
