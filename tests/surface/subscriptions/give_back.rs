//! `eventcore_nack`: retry, release, skip, and which other events go back too.

use std::time::Duration;

use super::{ack, attempts, create, drain, lease, nack, outcomes, parked, poll, positions, write};
use crate::support::{database, value};

#[tokio::test]
async fn a_retry_comes_again_with_the_next_attempt_and_the_later_events_of_its_stream() {
    let (_, client) = database("sub_retry").await;
    let w = write(&client, &["a", "b", "a", "b", "a"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 100).await;
    let back = nack(&client, "s", lease(&first), &[w[2]], "retry", "0")
        .await
        .unwrap();
    // The event before it in the stream stays; the one after it goes back too.
    assert_eq!(back, outcomes(&[(w[2], "retry"), (w[4], "released")]));
    // Its stream is still leased.
    assert!(poll(&client, "s", "c", 100).await.is_empty());
    ack(&client, "s", lease(&first), Some(&[w[0], w[1], w[3]]))
        .await
        .unwrap();
    let again = poll(&client, "s", "c", 100).await;
    assert_eq!(positions(&again), [w[2], w[4]]);
    assert_eq!(attempts(&again), [2, 1]);
}

#[tokio::test]
async fn a_retry_after_a_delay_holds_its_stream_and_no_other() {
    let (_, client) = database("sub_delay").await;
    let w = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 100).await;
    nack(&client, "s", lease(&first), &[w[0]], "retry", "400 ms")
        .await
        .unwrap();
    ack(&client, "s", lease(&first), Some(&[w[2]]))
        .await
        .unwrap();
    let b = write(&client, &["b", "a"]).await;
    assert_eq!(drain(&client, "s").await, [b[0]]);
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(drain(&client, "s").await, [w[0], w[1], b[1]]);
}

#[tokio::test]
async fn an_event_that_fails_more_often_than_the_limit_is_parked() {
    let (_, client) = database("sub_limit").await;
    let w = write(&client, &["a", "a"]).await;
    create(&client, "s", ", retry_limit => 2").await;
    for attempt in 1..=3 {
        let deliveries = poll(&client, "s", "c", 1).await;
        assert_eq!(attempts(&deliveries), [attempt]);
        let outcome = if attempt == 3 { "parked" } else { "retry" };
        let back = nack(&client, "s", lease(&deliveries), &[w[0]], "retry", "0")
            .await
            .unwrap();
        assert_eq!(back, outcomes(&[(w[0], outcome)]));
    }
    assert_eq!(parked(&client, "s").await, [w[0]]);
    assert_eq!(drain(&client, "s").await, [w[1]]);
}

#[tokio::test]
async fn skipped_is_done_with_and_released_counts_no_failure() {
    let (_, client) = database("sub_skip").await;
    let w = write(&client, &["a", "a", "a"]).await;
    create(&client, "s", ", retry_limit => 0").await;
    for _ in 0..3 {
        let deliveries = poll(&client, "s", "c", 100).await;
        assert_eq!(attempts(&deliveries), [1, 1, 1]);
        let back = nack(&client, "s", lease(&deliveries), &w, "release", "0")
            .await
            .unwrap();
        assert_eq!(
            back,
            outcomes(&[(w[0], "released"), (w[1], "released"), (w[2], "released")])
        );
    }
    let deliveries = poll(&client, "s", "c", 100).await;
    let back = nack(&client, "s", lease(&deliveries), &w[1..2], "skip", "0")
        .await
        .unwrap();
    assert_eq!(back, outcomes(&[(w[1], "skipped")]));
    ack(&client, "s", lease(&deliveries), Some(&[w[0], w[2]]))
        .await
        .unwrap();
    assert!(drain(&client, "s").await.is_empty());
}

#[tokio::test]
async fn giving_back_what_is_not_held_changes_nothing() {
    let (_, client) = database("sub_nack_lost").await;
    let w = write(&client, &["a", "b"]).await;
    create(&client, "s", ", lease => '1 min'").await;
    let first = poll(&client, "s", "c", 1).await;
    let second = poll(&client, "s", "d", 1).await;
    let detail = nack(&client, "s", lease(&first), &w, "skip", "0")
        .await
        .unwrap_err()
        .assert_ours("SE008");
    assert_eq!(detail["positions"], serde_json::json!([w[1]]));
    ack(&client, "s", lease(&first), None).await.unwrap();
    ack(&client, "s", lease(&second), None).await.unwrap();
    let none = client
        .query("SELECT * FROM eventcore_nack('s', $1)", &[&lease(&first)])
        .await;
    crate::support::failure(none).assert_ours("SE008");
}

#[tokio::test]
async fn the_newest_reason_is_seen_until_the_event_is_done_with() {
    let (_, client) = database("sub_reason").await;
    let w = write(&client, &["a"]).await;
    create(&client, "s", "").await;
    let last_error = "SELECT last_error FROM eventcore.stat_subscriptions";
    let deliveries = poll(&client, "s", "c", 1).await;
    nack(&client, "s", lease(&deliveries), &w, "retry", "0")
        .await
        .unwrap();
    assert_eq!(value::<String>(&client, last_error).await, "it went wrong");
    drain(&client, "s").await;
    assert_eq!(value::<Option<String>>(&client, last_error).await, None);
}
