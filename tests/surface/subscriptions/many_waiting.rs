//! What a poll costs when many events came back, whatever the server's statistics say of the tables.

use std::time::{Duration, Instant};

use super::{ack, create, lease, nack, poll, positions};
use crate::support::{append, database, event};

/// Each step takes far less than a second when its cost grows with the events, and many when with their square.
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
