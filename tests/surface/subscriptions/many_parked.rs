//! What operators do and see costs the same when many events are parked or wait, whatever the
//! server's statistics say about the tables.

use tokio_postgres::Client;

use super::many_waiting::{MANY, give_back_many, looked_at, many};
use super::{create, lease, nack, poll, positions, write};
use crate::support::{connect, database, value};

/// Does something, rolls it back, and returns how many rows that read.
async fn reads(client: &mut Client, statement: &str) -> i64 {
    let transaction = client.transaction().await.unwrap();
    let before = looked_at(&transaction).await;
    transaction.batch_execute(statement).await.unwrap();
    let after = looked_at(&transaction).await;
    transaction.rollback().await.unwrap();
    after - before
}

/// Fails if one of the statements reads more than a few rows.
async fn assert_cheap(client: &mut Client, statements: &[&str]) {
    for statement in statements {
        let read = reads(client, statement).await;
        assert!(read < 100, "{statement}: {read} rows");
    }
}

/// The position of one of the parked events.
async fn one_in_the_middle(client: &Client) -> i64 {
    let sql = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY position) FROM eventcore.parked";
    value(client, sql).await
}

const STOP: &str = ", on_parked => 'stop'";

#[tokio::test]
async fn changing_one_of_many_parked_events_looks_at_few_rows() {
    let (_, mut client) = many("sub_parked_change", STOP, "park", "0").await;
    let one = one_in_the_middle(&client).await;
    let discard = format!("SELECT eventcore_discard_parked('s', '{{{one}}}')");
    let replay = format!("SELECT eventcore_replay_parked('s', '{{{one}}}')");
    let page = format!("SELECT * FROM eventcore_parked('s', {one}, 10)");
    let all = [discard.as_str(), replay.as_str(), page.as_str()];
    assert_cheap(&mut client, &all).await;
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
    assert_cheap(&mut client, &all).await;
}

#[tokio::test]
async fn a_session_that_planned_it_when_little_was_parked_looks_at_few_rows_too() {
    let (url, mut client) = database("sub_parked_planned").await;
    create(&client, "s", STOP).await;
    client.batch_execute("VACUUM ANALYZE").await.unwrap();
    // More often than the server plans a statement anew.
    for _ in 0..8 {
        write(&client, &["a", "b"]).await;
        let both = poll(&client, "s", "c", 2).await;
        nack(&client, "s", lease(&both), &positions(&both), "park", "0")
            .await
            .unwrap();
        let (a, b) = (both[0].position, both[1].position);
        let sql = format!(
            "SELECT eventcore_discard_parked('s', '{{{a}}}');
             SELECT eventcore_replay_parked('s', '{{{b}}}');
             SELECT * FROM eventcore_parked('s', 0, 10)"
        );
        client.batch_execute(&sql).await.unwrap();
        let again = poll(&client, "s", "c", 2).await;
        nack(&client, "s", lease(&again), &positions(&again), "skip", "0")
            .await
            .unwrap();
    }
    let other = connect(&url).await;
    give_back_many(&other, "park", "0").await;
    let one = one_in_the_middle(&other).await;
    let discard = format!("SELECT eventcore_discard_parked('s', '{{{one}}}')");
    let replay = format!("SELECT eventcore_replay_parked('s', '{{{one}}}')");
    let page = format!("SELECT * FROM eventcore_parked('s', {one}, 10)");
    assert_cheap(&mut client, &[&discard, &replay, &page]).await;
}

#[tokio::test]
async fn giving_one_event_back_beside_many_looks_at_few_rows() {
    let (_, mut client) = many("sub_parked_beside", STOP, "park", "0").await;
    for vacuum in [false, true] {
        if vacuum {
            client.batch_execute("VACUUM ANALYZE").await.unwrap();
        }
        for action in ["park", "skip", "retry", "release"] {
            write(&client, &["new"]).await;
            let give_back = format!(
                "SELECT eventcore_nack('s', l.lease_id, NULL, '{action}')
                   FROM (SELECT DISTINCT p.lease_id FROM eventcore_poll('s', 'c', 1) p) l"
            );
            assert_cheap(&mut client, &[&give_back]).await;
        }
    }
}

/// Creating, resetting and dropping a subscription looks for rows of subscriptions that are gone.
#[tokio::test]
async fn changing_a_subscription_beside_another_one_looks_at_few_rows() {
    let (_, mut client) = many("sub_parked_other", "", "retry", "1 hour").await;
    create(&client, "other", "").await;
    for vacuum in [false, true] {
        if vacuum {
            client.batch_execute("VACUUM ANALYZE").await.unwrap();
        }
        assert_cheap(
            &mut client,
            &[
                "SELECT eventcore_create_subscription('s')",
                "SELECT eventcore_create_subscription('third')",
                "SELECT eventcore_reset_subscription('other', 0)",
                "SELECT eventcore_drop_subscription('other')",
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn the_view_counts_all_that_is_parked_delayed_and_stopped() {
    let (_, client) = many("sub_parked_view", STOP, "park", "0").await;
    create(&client, "delayed", "").await;
    let all = poll(&client, "delayed", "c", 10_000).await;
    let back = positions(&all);
    nack(&client, "delayed", lease(&all), &back, "retry", "1 hour")
        .await
        .unwrap();
    let row =
        "SELECT concat_ws(' ', sum(parked), sum(retrying), sum(streams_stopped), sum(waiting))
                 FROM eventcore.stat_subscriptions";
    let expected = format!("{MANY} {MANY} {MANY} {MANY}");
    assert_eq!(value::<String>(&client, row).await, expected);
}
