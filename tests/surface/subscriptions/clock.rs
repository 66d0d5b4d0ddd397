//! The machine's clock was an hour ahead and is set back. Nothing waits for the times that such a
//! clock left in the tables.

use std::time::{Duration, Instant};

use super::{create, drain, lease, nack, poll, positions, try_poll, write};
use crate::support::{append, database, event, value};

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

/// The event with the delay was set aside, so that its stream waits for nothing more.
#[tokio::test]
async fn a_delay_that_is_over_early_stays_over() {
    for on_parked in ["continue", "stop"] {
        let (_, client) = database(&format!("sub_clock_{on_parked}")).await;
        create(&client, "s", &format!(", on_parked => '{on_parked}'")).await;
        let written = write(&client, &["a", "a"]).await;
        let first = poll(&client, "s", "c", 1).await;
        nack(
            &client,
            "s",
            lease(&first),
            &written[..1],
            "retry",
            "1 hour",
        )
        .await
        .unwrap();
        assert!(drain(&client, "s").await.is_empty());
        let park = format!(
            "SELECT eventcore_park('s', ARRAY[{}]::bigint[])",
            written[0]
        );
        assert_eq!(value::<i64>(&client, &park).await, 1);
        if on_parked == "stop" {
            let discard = "SELECT eventcore_discard_parked('s')";
            assert_eq!(value::<i64>(&client, discard).await, 1);
        }
        let ahead = "UPDATE eventcore.backlogs SET due = due + interval '1 hour', delayed_at = delayed_at + interval '1 hour'";
        client.batch_execute(ahead).await.unwrap();
        let next = try_poll(&client, "s", "c", 10, "0").await;
        assert_eq!(positions(&next.unwrap()), written[1..], "{on_parked}");
    }
}

/// Of several delays the longest one counts; when its event is set aside, the next one, from when
/// that began.
#[tokio::test]
async fn the_delay_that_is_left_begins_now_if_it_began_an_hour_later() {
    let (_, client) = database("sub_clock_left").await;
    create(&client, "s", "").await;
    let written = write(&client, &["a", "a"]).await;
    let all = poll(&client, "s", "c", 10).await;
    nack(&client, "s", lease(&all), &written[1..], "retry", "1 hour")
        .await
        .unwrap();
    nack(&client, "s", lease(&all), &written[..1], "retry", "2 hours")
        .await
        .unwrap();
    let park = format!(
        "SELECT eventcore_park('s', ARRAY[{}]::bigint[])",
        written[0]
    );
    assert_eq!(value::<i64>(&client, &park).await, 1);
    let delay = "SELECT due - delayed_at = interval '1 hour' FROM eventcore.backlogs";
    assert!(value::<bool>(&client, delay).await);
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
