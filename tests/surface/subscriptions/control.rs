//! Pause, resume, reset; and what is said to bad input.

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
    // And ahead.
    let last = format!("SELECT eventcore_reset_subscription('s', {})", w[3]);
    client
        .execute("SELECT eventcore_reset_subscription('s', 0)", &[])
        .await
        .unwrap();
    client.execute(&last, &[]).await.unwrap();
    assert!(drain(&client, "s").await.is_empty());
}

/// Each call with the code, and the argument or the reason that DETAIL names.
const BAD_INPUT: &[(&str, &str, &str)] = &[
    ("eventcore_create_subscription(NULL)", "SE003", "name"),
    ("eventcore_create_subscription('')", "SE003", "name"),
    (
        "eventcore_create_subscription(repeat('x', 256))",
        "SE003",
        "name",
    ),
    ("eventcore_create_subscription(E'a\\nb')", "SE003", "name"),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{}')",
        "SE003",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{NULL}')",
        "SE003",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{\"\"}')",
        "SE003",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', event_types => '{}')",
        "SE003",
        "event_types",
    ),
    (
        "eventcore_create_subscription('n', event_types => array_fill('x'::text, '{1001}'))",
        "SE003",
        "event_types",
    ),
    (
        "eventcore_create_subscription('n', start_from => 'end')",
        "SE003",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => NULL)",
        "SE003",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '-1')",
        "SE003",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '999999999')",
        "SE003",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '99999999999999999999')",
        "SE003",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', lease => '0')",
        "SE003",
        "lease",
    ),
    (
        "eventcore_create_subscription('n', lease => '-1 s')",
        "SE003",
        "lease",
    ),
    (
        "eventcore_create_subscription('n', lease => NULL)",
        "SE003",
        "lease",
    ),
    (
        "eventcore_create_subscription('n', retry_limit => -1)",
        "SE003",
        "retry_limit",
    ),
    (
        "eventcore_create_subscription('n', retry_limit => NULL)",
        "SE003",
        "retry_limit",
    ),
    (
        "eventcore_create_subscription('n', on_parked => 'explode')",
        "SE003",
        "on_parked",
    ),
    ("eventcore_drop_subscription('none')", "SE007", "none"),
    ("eventcore_pause_subscription('none')", "SE007", "none"),
    ("eventcore_resume_subscription('none')", "SE007", "none"),
    ("eventcore_reset_subscription('none', 0)", "SE007", "none"),
    (
        "eventcore_reset_subscription('s', -1)",
        "SE003",
        "after_position",
    ),
    (
        "eventcore_reset_subscription('s', NULL)",
        "SE003",
        "after_position",
    ),
    (
        "eventcore_reset_subscription('s', 999999999)",
        "SE003",
        "after_position",
    ),
    ("eventcore_poll('none', 'c')", "SE007", "none"),
    ("eventcore_poll(NULL, 'c')", "SE003", "subscription"),
    ("eventcore_poll('s', NULL)", "SE003", "consumer"),
    ("eventcore_poll('s', '')", "SE003", "consumer"),
    ("eventcore_poll('s', 'c', -1)", "SE003", "max_count"),
    ("eventcore_poll('s', 'c', 0)", "SE003", "max_count"),
    ("eventcore_poll('s', 'c', NULL)", "SE003", "max_count"),
    ("eventcore_poll('s', 'c', 10001)", "SE003", "max_count"),
    ("eventcore_poll('s', 'c', 1, '-1 s')", "SE003", "wait"),
    ("eventcore_poll('s', 'c', 1, NULL)", "SE003", "wait"),
    ("eventcore_ack('none', gen_random_uuid())", "SE007", "none"),
    ("eventcore_ack('s', NULL)", "SE003", "lease_id"),
    (
        "eventcore_ack('s', gen_random_uuid(), '{NULL}')",
        "SE003",
        "positions",
    ),
    (
        "eventcore_ack('s', gen_random_uuid(), '{999999999}')",
        "SE003",
        "positions",
    ),
    (
        "eventcore_ack('s', gen_random_uuid(), '{0}')",
        "SE003",
        "positions",
    ),
    ("eventcore_nack('none', gen_random_uuid())", "SE007", "none"),
    ("eventcore_nack('s', NULL)", "SE003", "lease_id"),
    (
        "eventcore_nack('s', gen_random_uuid(), '{NULL}')",
        "SE003",
        "positions",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), '{999999999}')",
        "SE003",
        "positions",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => 'explode')",
        "SE003",
        "action",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => NULL)",
        "SE003",
        "action",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), delay => '-1 s')",
        "SE003",
        "delay",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), delay => NULL)",
        "SE003",
        "delay",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => 'skip', delay => '1 s')",
        "SE003",
        "delay",
    ),
    (
        "eventcore_extend_lease('none', gen_random_uuid())",
        "SE007",
        "none",
    ),
    ("eventcore_extend_lease('s', NULL)", "SE003", "lease_id"),
    ("eventcore_parked('none')", "SE007", "none"),
    ("eventcore_replay_parked('none')", "SE007", "none"),
    ("eventcore_discard_parked('none')", "SE007", "none"),
];

#[tokio::test]
async fn bad_input_is_named_and_the_session_goes_on() {
    let (_, client) = database("sub_bad_input").await;
    create(&client, "s", "").await;
    write(&client, &["a"]).await;
    let mut wrong = Vec::new();
    for (call, code, named) in BAD_INPUT {
        match client.batch_execute(&format!("SELECT * FROM {call}")).await {
            Ok(()) => wrong.push(format!("{call} is accepted")),
            Err(error) => {
                let failed = crate::support::Failure::from(error);
                let detail = failed.detail.clone().unwrap_or_default();
                let complete = failed.code == *code
                    && detail.contains(&format!("\"{named}\""))
                    && !failed.hint.is_empty();
                if !complete {
                    wrong.push(format!("{call}: {failed:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(drain(&client, "s").await.len(), 1);
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
    // What a snapshot shows may be acknowledged from it.
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
