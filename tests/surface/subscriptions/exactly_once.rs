//! Acknowledging in the transaction that writes the effects of an event: exactly once, `P11`.

use std::time::Duration;

use super::{ack, create, lease, poll, positions, write};
use crate::support::{connect, database, until_waiting, value};

/// Polls in a transaction of its own, then writes and acknowledges in another.
#[tokio::test]
async fn each_event_takes_effect_once_though_consumers_give_up_halfway() {
    let (url, client) = database("sub_once").await;
    client
        .batch_execute("CREATE TABLE sums (stream text PRIMARY KEY, n bigint NOT NULL)")
        .await
        .unwrap();
    let streams: Vec<String> = (0..28).map(|n| format!("s{}", n % 7)).collect();
    write(
        &client,
        &streams.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    create(&client, "s", ", lease => '40 ms', retry_limit => 1000").await;
    let mut session = connect(&url).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    for round in 0_u32.. {
        assert!(std::time::Instant::now() < deadline);
        let deliveries = poll(&session, "s", "c", 3).await;
        if deliveries.is_empty() {
            if value::<i64>(&client, "SELECT count(*) FROM eventcore.deliveries").await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let work = session.transaction().await.unwrap();
        for delivery in &deliveries {
            let sql =
                "INSERT INTO sums VALUES ($1, 1) ON CONFLICT (stream) DO UPDATE SET n = sums.n + 1";
            work.execute(sql, &[&delivery.stream]).await.unwrap();
        }
        match round % 7 {
            // Stops before the acknowledgement, and after it.
            0 => work.rollback().await.unwrap(),
            1 => {
                ack(&work, "s", lease(&deliveries), None).await.unwrap();
                work.rollback().await.unwrap();
            }
            // Too late.
            2 => {
                tokio::time::sleep(Duration::from_millis(60)).await;
                poll(&client, "s", "other", 100).await;
                ack(&work, "s", lease(&deliveries), None)
                    .await
                    .unwrap_err()
                    .assert_ours("SE008");
                work.rollback().await.unwrap();
            }
            _ => {
                ack(&work, "s", lease(&deliveries), None).await.unwrap();
                work.commit().await.unwrap();
            }
        }
    }
    assert_eq!(
        value::<i64>(&client, "SELECT sum(n)::bigint FROM sums").await,
        28
    );
}

/// The lease expires while the transaction that acknowledges is still open: the event is kept for
/// it.
#[tokio::test]
async fn an_event_that_is_being_acknowledged_goes_to_no_other_consumer_and_comes_again_after_a_rollback()
 {
    let (url, client) = database("sub_open_ack").await;
    let w = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", ", lease => '1 s'").await;
    let session = connect(&url).await;
    for end in ["ROLLBACK", "COMMIT"] {
        let first = poll(&session, "s", "c", 1).await;
        assert_eq!(positions(&first), w[..1], "{end}");
        session.batch_execute("BEGIN").await.unwrap();
        ack(&session, "s", lease(&first), None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let others = poll(&client, "s", "other", 100).await;
        assert_eq!(positions(&others), w[2..], "{end}");
        session.batch_execute(end).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    // The last one was alone in expired leases, and is delivered alone.
    for rest in [w[2], w[1]] {
        let deliveries = poll(&client, "s", "other", 100).await;
        assert_eq!(positions(&deliveries), [rest]);
    }
}

/// A poll that is rolled back has delivered nothing, and others wait for it meanwhile.
#[tokio::test]
async fn a_poll_that_is_rolled_back_has_leased_nothing() {
    let (url, client) = database("sub_poll_rollback").await;
    let w = write(&client, &["a", "b"]).await;
    create(&client, "s", ", lease => '1 min'").await;
    let mut session = connect(&url).await;
    let work = session.transaction().await.unwrap();
    assert_eq!(poll(&work, "s", "c", 100).await.len(), 2);
    let other = connect(&url).await;
    let waits = tokio::spawn(async move { poll(&other, "s", "other", 100).await });
    until_waiting(&client, 1).await;
    work.rollback().await.unwrap();
    assert_eq!(positions(&waits.await.unwrap()), w);
    assert!(poll(&client, "s", "third", 100).await.is_empty());
}
