//! What the functions of subscriptions say to bad input, `P13`.

use super::{create, drain, write};
use crate::support::database;

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
