//! A person sets an event aside while no consumer has it: `eventcore_park`.

use super::{ack, create, drain, lease, nack, parked, poll, positions, write};
use crate::support::{Client, database, failure, value};

async fn park(client: &Client, positions: &[i64]) -> i64 {
    let sql = format!("SELECT eventcore_park('s', ARRAY{positions:?}::bigint[], 'by hand')");
    value(client, &sql).await
}

#[track_caller]
fn refused(failed: Result<(), tokio_postgres::Error>, because: &str) {
    let detail = failure(failed).assert_ours("SE003");
    assert_eq!(detail["argument"], "positions", "{detail}");
    let problem = detail.to_string();
    assert!(problem.contains(because), "{problem}");
}

/// The lease of every consumer runs out.
async fn expire(client: &Client) {
    let sql = "UPDATE eventcore.leases SET leased_until = now() - interval '1 s'";
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn an_event_of_a_consumer_that_died_is_set_aside_and_the_others_go_on() {
    let (_, client) = database("sub_aside_died").await;
    let w = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", "").await;
    poll(&client, "s", "dead", 100).await;
    expire(&client).await;
    assert_eq!(park(&client, &w[..1]).await, 1);
    assert_eq!(parked(&client, "s").await, w[..1]);
    let row = client
        .query_one("SELECT * FROM eventcore_parked('s')", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, String>("reason"), "by hand");
    assert_eq!(row.get::<_, String>("consumer"), "dead");
    assert_eq!(row.get::<_, i32>("attempts"), 1);
    // Again: it stays parked.
    assert_eq!(park(&client, &w[..1]).await, 0);
    assert_eq!(drain(&client, "s").await, w[1..]);
    let replay = "SELECT eventcore_replay_parked('s')";
    assert_eq!(value::<i64>(&client, replay).await, 1);
    assert_eq!(drain(&client, "s").await, w[..1]);
}

#[tokio::test]
async fn a_stream_that_stops_at_parked_events_stops_at_one_that_is_set_aside() {
    let (_, client) = database("sub_aside_stops").await;
    let w = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", ", on_parked => 'stop'").await;
    let first = poll(&client, "s", "c", 100).await;
    nack(&client, "s", lease(&first), &w[..1], "retry", "1 hour")
        .await
        .unwrap();
    ack(&client, "s", lease(&first), Some(&w[2..]))
        .await
        .unwrap();
    let sql = format!("SELECT eventcore_park('s', ARRAY[{}]::bigint[])", w[0]);
    assert_eq!(value::<i64>(&client, &sql).await, 1);
    let reason = "SELECT reason FROM eventcore_parked('s')";
    assert_eq!(
        value::<String>(&client, reason).await,
        "set aside by postgres"
    );
    let stopped = "SELECT streams_stopped FROM eventcore.stat_subscriptions";
    assert_eq!(value::<i64>(&client, stopped).await, 1);
    assert!(drain(&client, "s").await.is_empty());
    let discard = "SELECT eventcore_discard_parked('s')";
    assert_eq!(value::<i64>(&client, discard).await, 1);
    assert_eq!(drain(&client, "s").await, w[1..2]);
}

/// The delay is that of the event that is parked now.
#[tokio::test]
async fn a_stream_that_goes_on_does_not_wait_for_the_delay_of_an_event_that_is_set_aside() {
    let (_, client) = database("sub_aside_delay").await;
    let w = write(&client, &["a", "a", "a"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 2).await;
    nack(&client, "s", lease(&first), &w[..2], "retry", "1 hour")
        .await
        .unwrap();
    assert!(drain(&client, "s").await.is_empty());
    assert_eq!(park(&client, &w[..1]).await, 1);
    // The second event still waits, and the third one for it.
    assert!(drain(&client, "s").await.is_empty());
    assert_eq!(park(&client, &w[1..2]).await, 1);
    assert_eq!(drain(&client, "s").await, w[2..]);
}

#[tokio::test]
async fn an_event_is_set_aside_while_the_subscription_is_paused() {
    let (_, client) = database("sub_aside_paused").await;
    let w = write(&client, &["a"]).await;
    create(&client, "s", "").await;
    poll(&client, "s", "c", 100).await;
    client
        .batch_execute("SELECT eventcore_pause_subscription('s')")
        .await
        .unwrap();
    expire(&client).await;
    assert_eq!(park(&client, &w).await, 1);
    client
        .batch_execute("SELECT eventcore_resume_subscription('s')")
        .await
        .unwrap();
    assert!(drain(&client, "s").await.is_empty());
}

#[tokio::test]
async fn what_a_consumer_has_and_what_was_never_delivered_is_refused_and_nothing_is_parked() {
    let (_, client) = database("sub_aside_refused").await;
    let w = write(&client, &["a", "b"]).await;
    create(&client, "s", "").await;
    let sql = format!("SELECT eventcore_park('s', ARRAY{w:?}::bigint[])");
    refused(
        client.batch_execute(&sql).await,
        "does not wait to be delivered again",
    );
    let first = poll(&client, "s", "living", 100).await;
    assert_eq!(positions(&first), w);
    nack(&client, "s", lease(&first), &w[..1], "retry", "0")
        .await
        .unwrap();
    refused(client.batch_execute(&sql).await, "living");
    refused(
        client
            .batch_execute("SELECT eventcore_park('s', NULL)")
            .await,
        "is NULL",
    );
    assert!(parked(&client, "s").await.is_empty());
    ack(&client, "s", lease(&first), None).await.unwrap();
    refused(
        client.batch_execute(&sql).await,
        "does not wait to be delivered again",
    );
    assert_eq!(drain(&client, "s").await, w[..1]);
}

/// The consumer is not dead, only late: its transaction has locked the lease.
#[tokio::test]
async fn what_a_late_consumer_acknowledges_at_this_moment_is_refused() {
    let (url, client) = database("sub_aside_late").await;
    let w = write(&client, &["a"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "late", 100).await;
    expire(&client).await;
    let late = crate::support::connect(&url).await;
    late.batch_execute("BEGIN").await.unwrap();
    ack(&late, "s", lease(&first), None).await.unwrap();
    let sql = format!("SELECT eventcore_park('s', ARRAY{w:?}::bigint[])");
    refused(client.batch_execute(&sql).await, "late");
    late.batch_execute("COMMIT").await.unwrap();
    refused(
        client.batch_execute(&sql).await,
        "does not wait to be delivered again",
    );
    assert!(drain(&client, "s").await.is_empty());
}
