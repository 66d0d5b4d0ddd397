//! The machine's clock was an hour ahead and is set back. Nothing waits for the times that such a
//! clock left in the tables.

use std::time::{Duration, Instant};

use super::{create, lease, nack, poll, positions, try_poll, write};
use crate::support::{append, database, event};

#[tokio::test]
async fn a_lease_that_began_an_hour_later_than_now_has_run_out() {
    let (_, client) = database("sub_clock_lease").await;
    create(&client, "s", ", lease => '10 s'").await;
    let written = write(&client, &["a", "b"]).await;
    poll(&client, "s", "before", 10).await;
    assert!(poll(&client, "s", "after", 10).await.is_empty());
    let ahead = "UPDATE eventcore.leases SET leased_until = leased_until + interval '1 hour'";
    client.batch_execute(ahead).await.unwrap();
    let again = poll(&client, "s", "after", 10).await;
    assert_eq!(positions(&again), written);
}

#[tokio::test]
async fn a_lease_keeps_its_events_when_the_clock_goes_back_by_less_than_it_is_long() {
    let (_, client) = database("sub_clock_step").await;
    create(&client, "s", ", lease => '10 s'").await;
    write(&client, &["a"]).await;
    poll(&client, "s", "before", 10).await;
    let ahead = "UPDATE eventcore.leases SET leased_until = leased_until + interval '3 s'";
    client.batch_execute(ahead).await.unwrap();
    assert!(poll(&client, "s", "after", 10).await.is_empty());
}

#[tokio::test]
async fn a_delay_that_began_an_hour_later_than_now_begins_now() {
    let (_, client) = database("sub_clock_delay").await;
    create(&client, "s", "").await;
    let written = write(&client, &["a", "b", "a"]).await;
    let all = poll(&client, "s", "c", 10).await;
    nack(&client, "s", lease(&all), &written, "retry", "2 s")
        .await
        .unwrap();
    let ahead = "UPDATE eventcore.backlogs SET due = due + interval '1 hour', delayed_at = delayed_at + interval '1 hour';
                 UPDATE eventcore.deliveries SET not_before = not_before + interval '1 hour',
                                                 failed_at = failed_at + interval '1 hour'";
    client.batch_execute(ahead).await.unwrap();
    let other = append(&client, &[("c", None)], serde_json::json!([event("c", 1)])).await;
    let other = poll(&client, "s", "c", 10)
        .await
        .first()
        .map(|d| d.position)
        == Some(other.unwrap().positions.unwrap().0);
    assert!(other, "the others wait for their delay");
    let began = Instant::now();
    let again = try_poll(&client, "s", "c", 10, "60 s").await.unwrap();
    assert_eq!(positions(&again), written);
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_poll_waits_by_a_clock_that_cannot_be_set() {
    let (_, client) = database("sub_clock_wait").await;
    let ticks = "SELECT eventcore.monotonic()";
    let first: i64 = crate::support::value(&client, ticks).await;
    let began = Instant::now();
    create(&client, "s", "").await;
    assert!(
        try_poll(&client, "s", "c", 10, "300 ms")
            .await
            .unwrap()
            .is_empty()
    );
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    let second: i64 = crate::support::value(&client, ticks).await;
    assert!(second - first >= 300_000, "{first} {second}");
}
