//! How the functions of subscriptions report bad input, `P13`.

use super::{create, drain, write};
use crate::bad_input::{assert_malformed, assert_unknown};
use crate::malformed::Case;
use crate::support::database;

/// Calls with a malformed argument.
const MALFORMED: [Case; 45] = [
    ("eventcore_create_subscription(NULL)", "name"),
    ("eventcore_create_subscription('')", "name"),
    ("eventcore_create_subscription(repeat('x', 256))", "name"),
    ("eventcore_create_subscription(E'a\\nb')", "name"),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{}')",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{NULL}')",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', stream_prefixes => '{\"\"}')",
        "stream_prefixes",
    ),
    (
        "eventcore_create_subscription('n', event_types => '{}')",
        "event_types",
    ),
    (
        "eventcore_create_subscription('n', event_types => array_fill('x'::text, '{1001}'))",
        "event_types",
    ),
    (
        "eventcore_create_subscription('n', start_from => 'end')",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => NULL)",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '-1')",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '999999999')",
        "start_from",
    ),
    (
        "eventcore_create_subscription('n', start_from => '99999999999999999999')",
        "start_from",
    ),
    ("eventcore_create_subscription('n', lease => '0')", "lease"),
    (
        "eventcore_create_subscription('n', lease => '-1 s')",
        "lease",
    ),
    ("eventcore_create_subscription('n', lease => NULL)", "lease"),
    (
        "eventcore_create_subscription('n', retry_limit => -1)",
        "retry_limit",
    ),
    (
        "eventcore_create_subscription('n', retry_limit => NULL)",
        "retry_limit",
    ),
    (
        "eventcore_create_subscription('n', on_parked => 'explode')",
        "on_parked",
    ),
    ("eventcore_reset_subscription('s', -1)", "after_position"),
    ("eventcore_reset_subscription('s', NULL)", "after_position"),
    (
        "eventcore_reset_subscription('s', 999999999)",
        "after_position",
    ),
    ("eventcore_poll(NULL, 'c')", "subscription"),
    ("eventcore_poll('s', NULL)", "consumer"),
    ("eventcore_poll('s', '')", "consumer"),
    ("eventcore_poll('s', 'c', -1)", "max_count"),
    ("eventcore_poll('s', 'c', 0)", "max_count"),
    ("eventcore_poll('s', 'c', NULL)", "max_count"),
    ("eventcore_poll('s', 'c', 10001)", "max_count"),
    ("eventcore_poll('s', 'c', 1, '-1 s')", "wait"),
    ("eventcore_poll('s', 'c', 1, NULL)", "wait"),
    ("eventcore_ack('s', NULL)", "lease_id"),
    (
        "eventcore_ack('s', gen_random_uuid(), '{NULL}')",
        "positions",
    ),
    (
        "eventcore_ack('s', gen_random_uuid(), '{999999999}')",
        "positions[0]",
    ),
    (
        "eventcore_ack('s', gen_random_uuid(), '{0}')",
        "positions[0]",
    ),
    ("eventcore_nack('s', NULL)", "lease_id"),
    (
        "eventcore_nack('s', gen_random_uuid(), '{NULL}')",
        "positions",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), '{999999999}')",
        "positions[0]",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => 'explode')",
        "action",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => NULL)",
        "action",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), delay => '-1 s')",
        "delay",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), delay => NULL)",
        "delay",
    ),
    (
        "eventcore_nack('s', gen_random_uuid(), action => 'skip', delay => '1 s')",
        "delay",
    ),
    ("eventcore_extend_lease('s', NULL)", "lease_id"),
];

/// Calls that name the subscription `none`, which does not exist.
const UNKNOWN: [&str; 12] = [
    "eventcore_drop_subscription('none')",
    "eventcore_pause_subscription('none')",
    "eventcore_resume_subscription('none')",
    "eventcore_reset_subscription('none', 0)",
    "eventcore_poll('none', 'c')",
    "eventcore_ack('none', gen_random_uuid())",
    "eventcore_nack('none', gen_random_uuid())",
    "eventcore_extend_lease('none', gen_random_uuid())",
    "eventcore_parked('none')",
    "eventcore_replay_parked('none')",
    "eventcore_discard_parked('none')",
    "eventcore_park('none', '{1}')",
];

#[tokio::test]
async fn bad_input_is_named_and_the_session_goes_on() {
    let (_, client) = database("sub_bad_input").await;
    create(&client, "s", "").await;
    write(&client, &["a"]).await;
    let cases = MALFORMED.map(|(call, place)| (format!("SELECT * FROM {call}"), place));
    assert_malformed(&client, cases).await;
    assert_unknown(&client, "none", &UNKNOWN).await;
    assert_eq!(drain(&client, "s").await.len(), 1);
}
