//! `eventcore_poll(wait => …)`: what wakes it, well before the second after which it would look by
//! itself.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{Delivery, ack, create, lease, nack, poll, positions, try_poll, write};
use crate::support::{Client, connect, value};
use crate::wait::database;

const PROMPT: Duration = Duration::from_millis(400);

/// A poll that waits in a session of its own, and when it returned.
async fn waiting(url: &str, wait: &'static str) -> JoinHandle<(Vec<Delivery>, Instant)> {
    let client = connect(url).await;
    let waiting = tokio::spawn(async move {
        let deliveries = try_poll(&client, "s", "waiting", 100, wait).await.unwrap();
        (deliveries, Instant::now())
    });
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert!(!waiting.is_finished());
    waiting
}

/// The poll returns promptly after `since`, with these positions.
async fn comes_back(
    waiting: JoinHandle<(Vec<Delivery>, Instant)>,
    since: Instant,
    expected: &[i64],
) {
    let (deliveries, back) = waiting.await.unwrap();
    assert_eq!(positions(&deliveries), expected);
    let delay = back.saturating_duration_since(since);
    assert!(delay < PROMPT, "{delay:?}");
}

async fn subscribed(name: &str, more: &str) -> (String, Client) {
    let (url, client) = database(name).await;
    create(&client, "s", more).await;
    // The notifier starts with the first append.
    write(&client, &["start"]).await;
    super::drain(&client, "s").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    (url, client)
}

#[tokio::test]
async fn an_append_wakes_a_poll() {
    let (url, client) = subscribed("sub_wait_append", "").await;
    for _ in 0..3 {
        let poll = waiting(&url, "20 s").await;
        let w = write(&client, &["a"]).await;
        let since = Instant::now();
        comes_back(poll, since, &w).await;
        client
            .execute(
                "SELECT eventcore_reset_subscription('s', eventcore_safe_position())",
                &[],
            )
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_append_without_matching_events_does_not_end_a_poll() {
    let (url, client) = subscribed("sub_wait_filter", ", stream_prefixes => '{a}'").await;
    let poll = waiting(&url, "20 s").await;
    write(&client, &["b", "b"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!poll.is_finished());
    let w = write(&client, &["a"]).await;
    comes_back(poll, Instant::now(), &w).await;
}

/// The look at new events does not read them in their order, but page by page of the table.
#[tokio::test]
async fn a_poll_that_waits_misses_no_event_among_thousands_that_do_not_match() {
    const MANY: &str = "SELECT eventcore_append(
        '{a2,b}', '{NULL,NULL}', array_agg(CASE WHEN n IN (10, 1100, 2500) THEN 'a2' ELSE 'b' END ORDER BY n),
        array_fill('T'::text, '{3000}'), array_fill('1'::jsonb, '{3000}'), NULL) FROM generate_series(1, 3000) n";
    let (url, client) = subscribed("sub_wait_many", ", stream_prefixes => '{a}'").await;
    let poll = waiting(&url, "20 s").await;
    let second = connect(&url).await;
    let one =
        "SELECT (eventcore_append('{a1}', '{NULL}', '{a1}', '{T}', '{1}', NULL)).first_position";
    // Behind the pages of events that are never seen. The events that come later go to those pages.
    client
        .batch_execute(&format!("BEGIN; {MANY}; ROLLBACK; BEGIN"))
        .await
        .unwrap();
    let first: i64 = value(&client, one).await;
    second
        .batch_execute("VACUUM eventcore.events")
        .await
        .unwrap();
    second.batch_execute(MANY).await.unwrap();
    // All become visible at once.
    client.batch_execute("COMMIT").await.unwrap();
    let since = Instant::now();
    let rest = "SELECT array_agg(position ORDER BY position) FROM eventcore.events WHERE stream_id = 'a2' AND position > $1";
    let rest: Vec<i64> = client.query_one(rest, &[&first]).await.unwrap().get(0);
    assert_eq!(rest.len(), 3);
    let matching: Vec<i64> = std::iter::once(first).chain(rest).collect();
    comes_back(poll, since, &matching).await;
}

#[tokio::test]
async fn an_acknowledgement_that_releases_a_stream_wakes_a_poll() {
    let (url, client) = subscribed("sub_wait_release", "").await;
    let w = write(&client, &["a", "a"]).await;
    let first = poll(&client, "s", "one", 1).await;
    // This one lists the second event, and has nothing to deliver.
    assert!(poll(&client, "s", "two", 1).await.is_empty());
    let waits = waiting(&url, "20 s").await;
    ack(&client, "s", lease(&first), None).await.unwrap();
    comes_back(waits, Instant::now(), &w[1..]).await;
}

#[tokio::test]
async fn a_poll_comes_back_when_a_retry_is_due_and_when_a_lease_runs_out() {
    let (url, client) = subscribed("sub_wait_due", ", lease => '900 ms'").await;
    let w = write(&client, &["a"]).await;
    let first = poll(&client, "s", "one", 1).await;
    let since = Instant::now();
    nack(&client, "s", lease(&first), &w, "retry", "800 ms")
        .await
        .unwrap();
    comes_back(
        waiting(&url, "20 s").await,
        since + Duration::from_millis(790),
        &w,
    )
    .await;
    // That lease is not acknowledged.
    let since = Instant::now();
    comes_back(
        waiting(&url, "20 s").await,
        since + Duration::from_millis(890),
        &w,
    )
    .await;
}

#[tokio::test]
async fn resume_reset_and_replay_wake_a_poll() {
    let (url, client) = subscribed("sub_wait_control", "").await;
    client
        .execute("SELECT eventcore_pause_subscription('s')", &[])
        .await
        .unwrap();
    let w = write(&client, &["a"]).await;
    let waits = waiting(&url, "20 s").await;
    client
        .execute("SELECT eventcore_resume_subscription('s')", &[])
        .await
        .unwrap();
    comes_back(waits, Instant::now(), &w).await;

    client
        .execute(
            "SELECT eventcore_reset_subscription('s', eventcore_safe_position())",
            &[],
        )
        .await
        .unwrap();
    let waits = waiting(&url, "20 s").await;
    let reset = format!("SELECT eventcore_reset_subscription('s', {})", w[0] - 1);
    client.execute(&reset, &[]).await.unwrap();
    let since = Instant::now();
    let (deliveries, back) = waits.await.unwrap();
    assert_eq!(positions(&deliveries), w);
    assert!(back.saturating_duration_since(since) < PROMPT);

    nack(&client, "s", lease(&deliveries), &w, "park", "0")
        .await
        .unwrap();
    let waits = waiting(&url, "20 s").await;
    client
        .execute("SELECT eventcore_replay_parked('s')", &[])
        .await
        .unwrap();
    comes_back(waits, Instant::now(), &w).await;
}

#[tokio::test]
async fn a_poll_gives_up_in_time_and_returns_no_row() {
    let (_, client) = subscribed("sub_wait_time", "").await;
    for (wait, millis) in [("0", 0), ("100 ms", 100), ("1.2 s", 1_200)] {
        let started = Instant::now();
        assert!(
            try_poll(&client, "s", "c", 1, wait)
                .await
                .unwrap()
                .is_empty()
        );
        let least = Duration::from_millis(millis);
        let elapsed = started.elapsed();
        assert!(elapsed >= least && elapsed < least + PROMPT, "{elapsed:?}");
    }
}

#[tokio::test]
async fn a_waiting_poll_keeps_no_other_waiting() {
    let (url, client) = subscribed("sub_wait_lock", "").await;
    let waits = waiting(&url, "2 s").await;
    let started = Instant::now();
    assert!(poll(&client, "s", "c", 1).await.is_empty());
    client
        .execute("SELECT eventcore_pause_subscription('s')", &[])
        .await
        .unwrap();
    assert!(started.elapsed() < PROMPT);
    let drop = client
        .execute("SELECT eventcore_drop_subscription('s')", &[])
        .await;
    drop.unwrap();
    let lost = waits.await;
    assert!(
        lost.is_err_and(|error| error.is_panic()),
        "the poll of what was dropped fails, SE007"
    );
}

#[tokio::test]
async fn a_poll_ends_with_the_statement_timeout_and_leaves_nothing() {
    let (url, client) = subscribed("sub_wait_cancel", "").await;
    let session = connect(&url).await;
    session
        .batch_execute("SET statement_timeout = '300 ms'")
        .await
        .unwrap();
    let failed = try_poll(&session, "s", "c", 1, "20 s").await.unwrap_err();
    assert_eq!(failed.code, "57014");
    let w = write(&client, &["a"]).await;
    assert_eq!(
        positions(&try_poll(&session, "s", "c", 1, "0").await.unwrap()),
        w
    );
}
