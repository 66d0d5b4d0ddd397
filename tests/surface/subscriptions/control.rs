//! Pausing, resuming and resetting; and the transactions in which a subscription can be polled and
//! changed.

use super::{ack, create, drain, lease, nack, parked, poll, positions, write};
use crate::support::{connect, database, failure};

#[tokio::test]
async fn a_paused_subscription_delivers_nothing_and_takes_acknowledgements() {
    let (_, client) = database("sub_pause").await;
    let w = write(&client, &["a", "b"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 1).await;
    client
        .execute("SELECT eventcore_pause_subscription('s')", &[])
        .await
        .unwrap();
    assert!(poll(&client, "s", "c", 100).await.is_empty());
    ack(&client, "s", lease(&first), None).await.unwrap();
    client
        .execute("SELECT eventcore_resume_subscription('s')", &[])
        .await
        .unwrap();
    assert_eq!(drain(&client, "s").await, [w[1]]);
}

#[tokio::test]
async fn a_reset_delivers_again_what_comes_after_the_position_and_voids_all_leases() {
    let (_, client) = database("sub_reset").await;
    let w = write(&client, &["a", "b", "c", "d"]).await;
    create(&client, "s", "").await;
    let first = poll(&client, "s", "c", 3).await;
    nack(&client, "s", lease(&first), &[w[0], w[2]], "park", "0")
        .await
        .unwrap();
    let reset = format!("SELECT eventcore_reset_subscription('s', {})", w[0]);
    client.execute(&reset, &[]).await.unwrap();
    ack(&client, "s", lease(&first), None)
        .await
        .unwrap_err()
        .assert_ours("SE008");
    assert_eq!(parked(&client, "s").await, [w[0]]);
    assert_eq!(drain(&client, "s").await, w[1..]);
    // And forwards.
    let last = format!("SELECT eventcore_reset_subscription('s', {})", w[3]);
    client
        .execute("SELECT eventcore_reset_subscription('s', 0)", &[])
        .await
        .unwrap();
    client.execute(&last, &[]).await.unwrap();
    assert!(drain(&client, "s").await.is_empty());
}

#[tokio::test]
async fn a_poll_needs_read_committed_and_a_transaction_that_may_write() {
    let (url, client) = database("sub_isolation").await;
    create(&client, "s", "").await;
    let w = write(&client, &["a", "b"]).await;
    let session = connect(&url).await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        session
            .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))
            .await
            .unwrap();
        let detail = super::try_poll(&session, "s", "c", 1, "0")
            .await
            .unwrap_err()
            .assert_ours("SE009");
        assert_eq!(detail["reason"], "isolation_level");
        session.batch_execute("ROLLBACK").await.unwrap();
    }
    for sql in [
        "SELECT * FROM eventcore_poll('s', 'c')",
        "SELECT eventcore_drop_subscription('s')",
    ] {
        session.batch_execute("BEGIN READ ONLY").await.unwrap();
        assert_eq!(
            failure(session.batch_execute(sql).await).code,
            "25006",
            "{sql}"
        );
        session.batch_execute("ROLLBACK").await.unwrap();
    }
    // An event that a snapshot shows may be acknowledged in it.
    let first = poll(&client, "s", "c", 1).await;
    session
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    ack(&session, "s", lease(&first), Some(&w[..1]))
        .await
        .unwrap();
    session.batch_execute("COMMIT").await.unwrap();
    assert_eq!(positions(&poll(&client, "s", "c", 9).await), w[1..]);
}
