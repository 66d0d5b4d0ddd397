//! Delivering: the order, which consumer gets what, and what happens to leases, `P11`.

use std::time::Duration;

use uuid::Uuid;

use super::{ack, attempts, create, lease, poll, positions, write};
use crate::support::{connect, database, failure, value};

#[tokio::test]
async fn events_are_delivered_in_order_with_their_columns_and_not_again_once_acknowledged() {
    let (_, client) = database("sub_order").await;
    let written = write(&client, &["a", "b", "a", "c", "a"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 3).await;
    assert_eq!(positions(&first), written[..3]);
    assert_eq!(attempts(&first), [1, 1, 1]);
    let versions: Vec<i64> = first.iter().map(|delivery| delivery.version).collect();
    assert_eq!(versions, [1, 1, 2]);
    ack(&client, "s", lease(&first), None).await.unwrap();
    let rest = poll(&client, "s", "c", 100).await;
    assert_eq!(positions(&rest), written[3..]);
    ack(&client, "s", lease(&rest), Some(&written[3..]))
        .await
        .unwrap();
    assert!(poll(&client, "s", "c", 100).await.is_empty());
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.deliveries").await,
        0
    );
}

#[tokio::test]
async fn a_stream_is_out_with_one_lease_at_a_time_and_the_other_streams_go_to_others() {
    let (_, client) = database("sub_streams").await;
    let written = write(&client, &["a", "b", "a", "b", "c"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "one", 1).await;
    assert_eq!(positions(&first), [written[0]]);
    // Everything but a; also for the same consumer.
    let second = poll(&client, "s", "one", 100).await;
    assert_eq!(positions(&second), [written[1], written[3], written[4]]);
    assert!(poll(&client, "s", "two", 100).await.is_empty());
    ack(&client, "s", lease(&first), None).await.unwrap();
    let third = poll(&client, "s", "two", 100).await;
    assert_eq!(positions(&third), [written[2]]);
}

#[tokio::test]
async fn some_positions_of_a_lease_are_acknowledged_and_the_stream_is_free_when_all_are() {
    let (_, client) = database("sub_partly").await;
    let written = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "one", 2).await;
    ack(&client, "s", lease(&first), Some(&written[..1]))
        .await
        .unwrap();
    assert_eq!(positions(&poll(&client, "s", "two", 9).await), [written[2]]);
    let later = write(&client, &["a"]).await;
    assert!(poll(&client, "s", "two", 9).await.is_empty());
    ack(&client, "s", lease(&first), None).await.unwrap();
    assert_eq!(positions(&poll(&client, "s", "two", 9).await), later);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_delivered_again_and_a_late_acknowledgement_of_it_is_refused() {
    let (_, client) = database("sub_expiry").await;
    let written = write(&client, &["a", "b"]).await;
    create(&client, "s", ", lease => '300 ms'").await;
    let lost = poll(&client, "s", "dead", 100).await;
    assert!(poll(&client, "s", "living", 100).await.is_empty());
    tokio::time::sleep(Duration::from_millis(400)).await;
    let again = poll(&client, "s", "living", 100).await;
    assert_eq!(positions(&again), written);
    // Two in one lease: it is unknown which of them is to blame.
    assert_eq!(attempts(&again), [1, 1]);
    for wanted in [None, Some(&written[..1]), Some(&written[..])] {
        let detail = ack(&client, "s", lease(&lost), wanted)
            .await
            .unwrap_err()
            .assert_ours("SE008");
        assert_eq!(detail["subscription"], "s");
        assert_eq!(detail["lease_id"], lease(&lost).to_string());
    }
    ack(&client, "s", lease(&again), None).await.unwrap();
}

#[tokio::test]
async fn an_acknowledgement_after_the_lease_counts_until_another_consumer_gets_the_event() {
    let (_, client) = database("sub_late").await;
    write(&client, &["a"]).await;
    create(&client, "s", ", lease => '50 ms'").await;
    let first = poll(&client, "s", "c", 100).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    ack(&client, "s", lease(&first), None).await.unwrap();
    assert!(poll(&client, "s", "c", 100).await.is_empty());
}

#[tokio::test]
async fn an_acknowledgement_of_some_that_are_not_held_acknowledges_none() {
    let (_, client) = database("sub_foreign").await;
    let written = write(&client, &["a", "b", "c"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "one", 1).await;
    let second = poll(&client, "s", "two", 1).await;
    let mixed = [written[0], written[1]];
    let detail = ack(&client, "s", lease(&first), Some(&mixed))
        .await
        .unwrap_err()
        .assert_ours("SE008");
    assert_eq!(detail["positions"], serde_json::json!([written[1]]));
    let detail = ack(&client, "s", lease(&first), Some(&[written[0], 1 << 40]))
        .await
        .unwrap_err();
    assert_eq!(detail.assert_ours("SE003")["index"], 1);
    ack(&client, "s", Uuid::now_v7(), None)
        .await
        .unwrap_err()
        .assert_ours("SE008");
    ack(&client, "s", lease(&first), Some(&written[..1]))
        .await
        .unwrap();
    // Acknowledged once.
    ack(&client, "s", lease(&first), Some(&written[..1]))
        .await
        .unwrap_err()
        .assert_ours("SE008");
    ack(&client, "s", lease(&second), None).await.unwrap();
}

#[tokio::test]
async fn a_lease_can_be_extended_while_it_holds_something() {
    let (_, client) = database("sub_extend").await;
    write(&client, &["a"]).await;
    create(&client, "s", ", lease => '600 ms'").await;
    let first = poll(&client, "s", "slow", 100).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        client
            .execute("SELECT eventcore_extend_lease('s', $1)", &[&lease(&first)])
            .await
            .unwrap();
        assert!(poll(&client, "s", "other", 100).await.is_empty());
    }
    ack(&client, "s", lease(&first), None).await.unwrap();
    let gone = client
        .execute("SELECT eventcore_extend_lease('s', $1)", &[&lease(&first)])
        .await;
    failure(gone).assert_ours("SE008");
}

/// After two expired leases an event is delivered alone, and only then is it to blame.
#[tokio::test]
async fn an_event_that_kills_its_consumers_is_parked_and_the_others_of_its_lease_are_not() {
    let (_, client) = database("sub_poison").await;
    let written = write(&client, &["a", "poison", "b", "c"]).await;
    create(&client, "s", ", lease => '20 ms', retry_limit => 2").await;
    let mut done = Vec::new();
    for _ in 0..40 {
        let deliveries = poll(&client, "s", "c", 100).await;
        for delivery in &deliveries {
            if delivery.stream == "poison" {
                break;
            }
            if ack(&client, "s", delivery.lease, Some(&[delivery.position]))
                .await
                .is_ok()
            {
                done.push(delivery.position);
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    done.sort_unstable();
    assert_eq!(done, [written[0], written[2], written[3]]);
    let row = client
        .query_one(
            "SELECT attempts, reason, consumer, position FROM eventcore_parked('s')",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, i32>(0), row.get::<_, i64>(3)),
        (3, written[1])
    );
    assert!(row.get::<_, String>(1).contains("ran out"));
    assert_eq!(row.get::<_, String>(2), "c");
}

#[tokio::test]
async fn many_consumers_at_once_get_every_event_once() {
    let (url, client) = database("sub_many").await;
    let streams: Vec<String> = (0..40).map(|n| format!("s{}", n % 13)).collect();
    let names: Vec<&str> = streams.iter().map(String::as_str).collect();
    let mut written = Vec::new();
    for _ in 0..5 {
        written.extend(write(&client, &names).await);
    }
    create(&client, "s", "").await;
    let consumers: Vec<_> = (0..6)
        .map(|number| {
            let url = url.clone();
            tokio::spawn(async move {
                let client = connect(&url).await;
                let mut mine = Vec::new();
                loop {
                    let deliveries =
                        super::try_poll(&client, "s", &number.to_string(), 4, "300 ms")
                            .await
                            .unwrap();
                    if deliveries.is_empty()
                        && super::try_poll(&client, "s", "end", 1, "300 ms")
                            .await
                            .unwrap()
                            .is_empty()
                    {
                        return mine;
                    }
                    if deliveries.is_empty() {
                        continue;
                    }
                    ack(&client, "s", lease(&deliveries), None).await.unwrap();
                    mine.extend(deliveries);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for consumer in consumers {
        all.extend(positions(&consumer.await.unwrap()));
    }
    // The last poll leased events to a consumer that stopped: they are delivered again.
    all.sort_unstable();
    let once = all.clone();
    all.dedup();
    assert_eq!(all, once, "delivered twice");
    let left: i64 = value(&client, "SELECT count(*) FROM eventcore.deliveries").await;
    assert_eq!(all.len() + usize::try_from(left).unwrap(), written.len());
}
