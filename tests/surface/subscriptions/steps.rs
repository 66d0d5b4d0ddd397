//! What several sessions do to one subscription step by step, the cost of large leases, and unusual
//! arguments, `P11`.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::support::{Client, append, connect, database, event, failure, value};

/// A lease: its id, and the positions in it.
struct Leased {
    id: Uuid,
    positions: Vec<i64>,
}

/// A database of the test's own with a subscription `s` and events in these streams, one each; two sessions.
async fn subscription(name: &str, options: &str, streams: &[&str]) -> (String, Client) {
    let (url, client) = database(name).await;
    let create = format!("SELECT eventcore_create_subscription('s' {options})");
    client.batch_execute(&create).await.unwrap();
    for stream in streams {
        write(&client, stream, 1).await;
    }
    (url, client)
}

async fn write(client: &Client, stream: &str, count: i64) {
    let events: Vec<_> = (0..count).map(|n| event(stream, n)).collect();
    append(client, &[(stream, None)], json!(events))
        .await
        .unwrap();
}

async fn poll(client: &Client, max_count: i32, wait: &str) -> Option<Leased> {
    let sql = format!(
        "SELECT lease_id, \"position\" FROM eventcore_poll('s', 'c', {max_count}, '{wait}')"
    );
    let rows = client.query(&sql, &[]).await.unwrap();
    Some(Leased {
        id: rows.first()?.get(0),
        positions: rows.iter().map(|row| row.get(1)).collect(),
    })
}

async fn run(client: &Client, sql: &str) {
    client
        .batch_execute(sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

async fn pause(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

/// How many rows of a table this transaction has read.
async fn looked_at(client: &Client, table: &str) -> i64 {
    value(
        client,
        &format!(
            "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
               FROM pg_stat_xact_user_tables WHERE relid = 'eventcore.{table}'::regclass"
        ),
    )
    .await
}

#[tokio::test]
async fn a_subscription_that_is_recreated_while_a_poll_waits_begins_at_its_start() {
    let (url, client) = subscription("sub_steps_anew", "", &["a", "b", "c"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    run(
        &client,
        &format!("SELECT eventcore_ack('s', '{}')", lease.id),
    )
    .await;
    let other = connect(&url).await;
    let waiter = tokio::spawn(async move { poll(&other, 100, "2 seconds").await });
    pause(300).await;
    run(
        &client,
        "BEGIN; SELECT eventcore_drop_subscription('s'), eventcore_create_subscription('s'); COMMIT",
    )
    .await;
    let mut delivered = waiter
        .await
        .unwrap()
        .map_or(0, |lease| lease.positions.len());
    delivered += poll(&client, 100, "0")
        .await
        .map_or(0, |lease| lease.positions.len());
    assert_eq!(delivered, 3);
}

#[tokio::test]
async fn a_poll_that_waits_for_a_stream_with_a_long_queue_sleeps() {
    let (url, client) = subscription("sub_steps_queue", "", &[]).await;
    write(&client, "a", 3000).await;
    poll(&client, 1, "0").await.unwrap();
    let other = connect(&url).await;
    assert!(poll(&other, 100, "0").await.is_none(), "a is out");
    run(&other, "BEGIN").await;
    assert!(poll(&other, 100, "1 second").await.is_none(), "a is out");
    let looked_at = looked_at(&other, "deliveries").await;
    assert!(looked_at < 50_000, "{looked_at} rows of 1000 in a second");
}

#[tokio::test]
async fn a_poll_waits_while_what_ran_out_is_being_acknowledged() {
    let (url, client) = subscription("sub_steps_open_ack", ", lease => '100 ms'", &["a"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    run(
        &client,
        &format!("BEGIN; SELECT eventcore_ack('s', '{}')", lease.id),
    )
    .await;
    pause(200).await;
    let other = connect(&url).await;
    let started = Instant::now();
    assert!(poll(&other, 100, "1 second").await.is_none());
    assert!(
        started.elapsed() >= Duration::from_millis(990),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn an_ack_of_all_that_loses_part_of_its_lease_meanwhile_acknowledges_nothing() {
    let (url, client) =
        subscription("sub_steps_part", ", lease => '200 ms'", &["a", "b", "c"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    // Stops the ack at the second of three rows.
    let brake = connect(&url).await;
    let lock = format!(
        "BEGIN; SELECT FROM eventcore.deliveries WHERE position = {} FOR UPDATE",
        lease.positions[1]
    );
    run(&brake, &lock).await;
    let acking = connect(&url).await;
    let sql = format!("SELECT eventcore_ack('s', '{}')", lease.id);
    let ack = tokio::spawn(async move { acking.batch_execute(&sql).await });
    pause(500).await;
    let lost = poll(&client, 100, "0").await;
    run(&brake, "ROLLBACK").await;
    // Either no other consumer gets the events that are being acknowledged, or the acknowledging
    // session gets an error.
    if lost.is_some() {
        failure(ack.await.unwrap()).assert_ours("SE008");
    } else {
        ack.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_event_that_was_not_alone_in_its_lease_is_not_blamed_while_others_are_acknowledged() {
    let options = ", lease => '100 ms', retry_limit => 0";
    let (url, client) = subscription("sub_steps_blame", options, &["a", "b"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    let ack = format!(
        "BEGIN; SELECT eventcore_ack('s', '{}', '{{{}}}')",
        lease.id, lease.positions[0]
    );
    run(&client, &ack).await;
    pause(200).await;
    let other = connect(&url).await;
    poll(&other, 100, "0").await;
    run(&client, "ROLLBACK").await;
    let parked: i64 = value(&client, "SELECT count(*) FROM eventcore_parked('s')").await;
    assert_eq!(parked, 0);
}

#[tokio::test]
async fn replaying_a_later_parked_event_of_a_stopped_stream_keeps_its_order() {
    let (_, client) = subscription("sub_steps_stop", ", on_parked => 'stop'", &[]).await;
    write(&client, "a", 3).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    for position in [lease.positions[2], lease.positions[0]] {
        let park = format!(
            "SELECT eventcore_nack('s', '{}', '{{{position}}}', 'park')",
            lease.id
        );
        run(&client, &park).await;
    }
    // Refused, or held until the earlier ones are done.
    let replay = format!(
        "SELECT eventcore_replay_parked('s', '{{{}}}')",
        lease.positions[2]
    );
    let _refused_or_done = client.batch_execute(&replay).await;
    assert!(
        poll(&client, 100, "0").await.is_none(),
        "two earlier ones are parked"
    );
}

#[tokio::test]
async fn parking_in_repeatable_read_stops_the_stream_or_fails() {
    let (url, client) = subscription("sub_steps_snapshot", ", on_parked => 'stop'", &["a"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    run(&client, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await;
    let other = connect(&url).await;
    write(&other, "a", 1).await;
    assert!(poll(&other, 100, "0").await.is_none(), "a is out");
    let park = format!(
        "SELECT eventcore_nack('s', '{}', NULL, 'park'); COMMIT",
        lease.id
    );
    if client.batch_execute(&park).await.is_ok() {
        assert!(poll(&other, 100, "0").await.is_none(), "a has stopped");
    }
}

#[tokio::test]
async fn a_reset_does_not_wait_for_acknowledgements_and_voids_the_lease() {
    let (url, client) = subscription("sub_steps_deadlock", "", &["a", "b"]).await;
    let lease = poll(&client, 100, "0").await.unwrap();
    let ack = format!(
        "BEGIN; SELECT eventcore_ack('s', '{}', '{{{}}}')",
        lease.id, lease.positions[0]
    );
    run(&client, &ack).await;
    // It does not wait for the acknowledging session, and voids the lease.
    let operator = connect(&url).await;
    run(&operator, "SELECT eventcore_reset_subscription('s', 0)").await;
    let nack = format!("SELECT eventcore_nack('s', '{}')", lease.id);
    failure(client.batch_execute(&nack).await).assert_ours("SE008");
    run(&client, "ROLLBACK").await;
    let again = poll(&client, 100, "0").await.unwrap();
    assert_eq!(again.positions, lease.positions);
}

#[tokio::test]
async fn giving_a_large_lease_back_looks_at_each_event_a_few_times() {
    let (_, client) = subscription("sub_steps_release", "", &[]).await;
    for stream in 0..10 {
        write(&client, &format!("a-{stream}"), 100).await;
    }
    let lease = poll(&client, 1000, "0").await.unwrap();
    run(&client, "BEGIN").await;
    let release = format!(
        "SELECT eventcore_nack('s', '{}', NULL, 'release')",
        lease.id
    );
    run(&client, &release).await;
    let looked_at = looked_at(&client, "deliveries").await;
    assert!(looked_at < 50_000, "{looked_at} rows for 1000 events");
}

#[tokio::test]
async fn replaying_the_first_of_a_long_stopped_stream_looks_at_each_event_a_few_times() {
    let (_, client) = subscription("sub_steps_replay", ", on_parked => 'stop'", &[]).await;
    write(&client, "a", 2000).await;
    let lease = poll(&client, 1, "0").await.unwrap();
    let park = format!("SELECT eventcore_nack('s', '{}', NULL, 'park')", lease.id);
    run(&client, &park).await;
    for _ in 0..3 {
        assert!(poll(&client, 1000, "0").await.is_none(), "a has stopped");
    }
    run(&client, "BEGIN; SELECT eventcore_replay_parked('s')").await;
    let looked_at = looked_at(&client, "parked").await;
    assert!(looked_at < 50_000, "{looked_at} rows for 2000 events");
}

#[tokio::test]
async fn arguments_that_no_subscription_can_work_with_are_named() {
    let (_, client) = subscription("sub_steps_arguments", "", &["a"]).await;
    let lease = poll(&client, 100, "0").await.unwrap().id;
    for (call, argument) in [
        (
            "eventcore_create_subscription('n', lease => '178000000 years')".to_owned(),
            "lease",
        ),
        (
            "eventcore_create_subscription('n', lease => '1 month -31 days')".to_owned(),
            "lease",
        ),
        (
            "eventcore_create_subscription('n', '{{a,b},{c,d}}')".to_owned(),
            "stream_prefixes",
        ),
        (
            "eventcore_create_subscription('n', NULL, '{{a,b},{c,d}}')".to_owned(),
            "event_types",
        ),
        (
            "eventcore_poll('s', 'c', 1, '178000000 years')".to_owned(),
            "wait",
        ),
        (
            format!("eventcore_ack('s', '{lease}', '{{{{1,2}},{{3,4}}}}')"),
            "positions",
        ),
        (
            format!("eventcore_nack('s', '{lease}', '{{{{1,2}},{{3,4}}}}')"),
            "positions",
        ),
        (
            format!("eventcore_nack('s', '{lease}', NULL, 'retry', NULL, '300000 years')"),
            "delay",
        ),
        ("eventcore_drop_subscription(NULL)".to_owned(), "name"),
        ("eventcore_reset_subscription('', 0)".to_owned(), "name"),
    ] {
        let failed = failure(client.query(&format!("SELECT {call}"), &[]).await);
        assert_eq!(failed.assert_ours("SE003")["argument"], argument, "{call}");
    }
}
