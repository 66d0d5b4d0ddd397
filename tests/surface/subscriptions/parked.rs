//! Parked events: listed, delivered again, discarded; streams that continue or stop.

use super::{ack, attempts, create, drain, lease, nack, outcomes, parked, poll, positions, write};
use crate::support::{Client, database, failure, value};

async fn count(client: &Client, sql: &str) -> i64 {
    value(client, sql).await
}

#[tokio::test]
async fn the_stream_of_a_parked_event_continues_and_a_replay_comes_late() {
    let (_, client) = database("sub_park_continue").await;
    let w = write(&client, &["a", "a", "b"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 100).await;
    let back = nack(&client, "s", lease(&first), &w[..1], "park", "0")
        .await
        .unwrap();
    assert_eq!(back, outcomes(&[(w[0], "parked")]));
    ack(&client, "s", lease(&first), None).await.unwrap();
    assert_eq!(parked(&client, "s").await, [w[0]]);
    assert!(drain(&client, "s").await.is_empty());
    assert_eq!(
        count(&client, "SELECT eventcore_replay_parked('s')").await,
        1
    );
    let again = poll(&client, "s", "c", 100).await;
    assert_eq!((positions(&again), attempts(&again)), (vec![w[0]], vec![1]));
    ack(&client, "s", lease(&again), None).await.unwrap();
    assert!(parked(&client, "s").await.is_empty());
}

#[tokio::test]
async fn a_stream_that_stops_at_a_parked_event_goes_on_in_order_when_that_is_replayed() {
    let (_, client) = database("sub_park_stop").await;
    let w = write(&client, &["a", "b", "a", "a"]).await;
    create(&client, "s", ", on_parked => 'stop'").await;
    let first = poll(&client, "s", "c", 3).await;
    let back = nack(&client, "s", lease(&first), &w[..1], "park", "0")
        .await
        .unwrap();
    assert_eq!(back, outcomes(&[(w[0], "parked"), (w[2], "released")]));
    ack(&client, "s", lease(&first), Some(&[w[1]]))
        .await
        .unwrap();
    ack(&client, "s", lease(&first), Some(&[w[2]]))
        .await
        .unwrap_err()
        .assert_ours("SE008");
    let later = write(&client, &["a", "b"]).await;
    assert_eq!(drain(&client, "s").await, [later[1]]);
    // Only failed events are listed, not those that wait behind them.
    assert_eq!(parked(&client, "s").await, [w[0]]);
    assert_eq!(
        count(
            &client,
            "SELECT streams_stopped FROM eventcore.stat_subscriptions"
        )
        .await,
        1
    );
    assert_eq!(
        count(&client, "SELECT eventcore_replay_parked('s')").await,
        1
    );
    assert_eq!(drain(&client, "s").await, [w[0], w[2], w[3], later[0]]);
}

#[tokio::test]
async fn a_stream_that_stopped_goes_on_without_the_event_that_is_given_up() {
    let (_, client) = database("sub_discard").await;
    let w = write(&client, &["a", "a", "c"]).await;
    create(&client, "s", ", on_parked => 'stop'").await;
    let first = poll(&client, "s", "c", 100).await;
    nack(&client, "s", lease(&first), &[w[0], w[2]], "park", "0")
        .await
        .unwrap();
    let sql = format!("SELECT eventcore_discard_parked('s', '{{{}}}')", w[0]);
    assert_eq!(count(&client, &sql).await, 1);
    assert_eq!(drain(&client, "s").await, [w[1]]);
    assert_eq!(parked(&client, "s").await, [w[2]]);
    assert_eq!(
        count(&client, "SELECT eventcore_discard_parked('s')").await,
        1
    );
    assert_eq!(
        count(&client, "SELECT eventcore_discard_parked('s')").await,
        0
    );
    assert!(drain(&client, "s").await.is_empty());
}

#[tokio::test]
async fn a_replayed_event_that_fails_again_stops_its_stream_again() {
    let (_, client) = database("sub_park_again").await;
    let w = write(&client, &["a", "a"]).await;
    create(&client, "s", ", on_parked => 'stop', retry_limit => 0").await;
    for _ in 0..3 {
        let deliveries = poll(&client, "s", "c", 1).await;
        assert_eq!(positions(&deliveries), w[..1]);
        nack(&client, "s", lease(&deliveries), &w[..1], "retry", "0")
            .await
            .unwrap();
        assert!(poll(&client, "s", "c", 1).await.is_empty());
        assert_eq!(
            count(&client, "SELECT eventcore_replay_parked('s')").await,
            1
        );
    }
    assert_eq!(drain(&client, "s").await, w);
}

#[tokio::test]
async fn parked_events_are_listed_in_pages_with_why() {
    let (_, client) = database("sub_park_list").await;
    let w = write(&client, &["a", "b", "c"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "me", 100).await;
    nack(&client, "s", lease(&first), &w, "park", "0")
        .await
        .unwrap();
    let sql = format!("SELECT * FROM eventcore_parked('s', {}, 1)", w[0]);
    let rows = client.query(&sql, &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.get::<_, i64>("position"), w[1]);
    assert_eq!(row.get::<_, i32>("attempts"), 1);
    assert_eq!(row.get::<_, String>("reason"), "it went wrong");
    assert_eq!(row.get::<_, String>("consumer"), "me");
    assert_eq!(row.get::<_, String>("event_type"), "Counted");
    for (sql, argument) in [
        ("SELECT * FROM eventcore_parked('s', -1)", "after_position"),
        ("SELECT * FROM eventcore_parked('s', 0, -1)", "max_count"),
        (
            "SELECT eventcore_replay_parked('s', '{1000000}')",
            "positions",
        ),
        (
            "SELECT eventcore_discard_parked('s', '{1000000}')",
            "positions",
        ),
    ] {
        let detail = failure(client.batch_execute(sql).await).assert_ours("SE003");
        assert_eq!(detail["argument"], argument, "{sql}");
    }
}
