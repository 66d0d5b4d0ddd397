//! P13: an error names the argument that is wrong.

use super::{create, database};
use crate::bad_input::{assert_malformed, assert_unknown};
use crate::malformed::Case;
use crate::support::{failure, value};

/// Calls with a malformed argument.
const MALFORMED: [Case; 34] = [
    ("eventcore_create_projection('', 'see')", "name"),
    ("eventcore_create_projection(NULL, 'see')", "name"),
    ("eventcore_create_projection('there', 'see')", "name"),
    ("eventcore_create_projection('p', NULL)", "handler"),
    ("eventcore_create_projection('p', '0')", "handler"),
    ("eventcore_create_projection('p', 'pg_sleep')", "handler"),
    ("eventcore_create_projection('p', 'answers')", "handler"),
    ("eventcore_create_projection('p', 'see', 'sync')", "mode"),
    ("eventcore_create_projection('p', 'see', NULL)", "mode"),
    (
        "eventcore_create_projection('p', 'see', start_from => 'end')",
        "start_from",
    ),
    (
        "eventcore_create_projection('p', 'see', start_from => '99')",
        "start_from",
    ),
    (
        "eventcore_create_projection('p', 'see', start_from => NULL)",
        "start_from",
    ),
    (
        "eventcore_create_projection('p', 'see', 'inline')",
        "start_from",
    ),
    (
        "eventcore_create_projection('p', 'see', batch_size => 0)",
        "batch_size",
    ),
    (
        "eventcore_create_projection('p', 'see', batch_size => NULL)",
        "batch_size",
    ),
    (
        "eventcore_create_projection('p', 'see', on_error => 'cry')",
        "on_error",
    ),
    (
        "eventcore_create_projection('p', 'see', retry_limit => -1)",
        "retry_limit",
    ),
    (
        "eventcore_create_projection('p', 'see', stream_prefixes => '{}')",
        "stream_prefixes",
    ),
    (
        "eventcore_create_projection('p', 'see', event_types => '{NULL}')",
        "event_types",
    ),
    (
        "eventcore_create_projection('p', 'see', reset => 'see')",
        "reset",
    ),
    (
        "eventcore_create_projection('p', 'see', tables => '{NULL}')",
        "tables",
    ),
    (
        "eventcore_create_projection('p', 'see', tables => '{pg_stat_activity}')",
        "tables",
    ),
    (
        "eventcore_create_projection('p', 'see', tables => '{eventcore.subscriptions}')",
        "tables",
    ),
    ("eventcore_pause_projection(NULL)", "name"),
    ("eventcore_rebuild_projection('there')", "name"),
    (
        "eventcore_create_projection('there/rebuild', 'see')",
        "name",
    ),
    (
        "eventcore_rebuild_projection('there', shadow => NULL)",
        "shadow",
    ),
    ("eventcore_projection_parked(NULL)", "projection"),
    ("eventcore_projection_parked('there', -1)", "after_position"),
    ("eventcore_projection_parked('there', 0, -1)", "max_count"),
    ("eventcore_replay_projection_parked('')", "projection"),
    (
        "eventcore_replay_projection_parked('there', '{1}')",
        "positions",
    ),
    (
        "eventcore_replay_projection_parked('there', '{NULL}')",
        "positions",
    ),
    (
        "eventcore_discard_projection_parked('there', '{{1}}')",
        "positions",
    ),
];

/// Calls that name the projection `none`, which does not exist.
const UNKNOWN: [&str; 7] = [
    "eventcore_pause_projection('none')",
    "eventcore_resume_projection('none')",
    "eventcore_drop_projection('none')",
    "eventcore_rebuild_projection('none')",
    "eventcore_projection_parked('none')",
    "eventcore_replay_projection_parked('none')",
    "eventcore_discard_projection_parked('none')",
];

#[tokio::test]
async fn every_bad_argument_is_refused_by_its_name_and_changes_nothing() {
    let (_, client) = database("projection_bad").await;
    client
        .batch_execute(
            "CREATE FUNCTION answers(e eventcore.events) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        )
        .await
        .unwrap();
    create(&client, "there", "see", "").await;
    let cases = MALFORMED.map(|(call, place)| (format!("SELECT * FROM {call}"), place));
    assert_malformed(&client, cases).await;
    assert_unknown(&client, "none", &UNKNOWN).await;
    let waits = [
        ("(NULL)", "name"),
        ("('there', -1)", "to_position"),
        ("('there', 1, NULL)", "timeout"),
        ("('there', 1, '-1 s')", "timeout"),
    ];
    let cases = waits.map(|(arguments, place)| {
        (
            format!("CALL eventcore_wait_for_projection{arguments}"),
            place,
        )
    });
    assert_malformed(&client, cases).await;
    let wait = client.batch_execute("CALL eventcore_wait_for_projection('none')");
    failure(wait.await).assert_ours("SE007");
    let count = "SELECT count(*) FROM eventcore.projections";
    assert_eq!(value::<i64>(&client, count).await, 1);
}

#[tokio::test]
async fn it_is_not_changed_on_a_snapshot_that_is_kept_or_where_nothing_may_be_written() {
    let (_, client) = database("projection_isolation").await;
    create(&client, "p", "see", "").await;
    for (begin, code) in [
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SE009"),
        ("BEGIN READ ONLY", "25006"),
    ] {
        client.batch_execute(begin).await.unwrap();
        let sql = "SELECT eventcore_drop_projection('p')";
        assert_eq!(failure(client.batch_execute(sql).await).code, code);
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// A row that a statement writes directly cannot make a worker run without end.
#[tokio::test]
async fn a_row_with_numbers_out_of_range_is_refused() {
    let (_, client) = database("projection_row").await;
    create(&client, "p", "see", "").await;
    for change in [
        "checkpoint = -1",
        "name = 'p/rebuild'",
        "rebuilds = 'p', shadow_schema = 'eventcore_rebuild_x'",
        "batch_size = 0",
        "batch_size = 100001",
        "retry_limit = -1",
        "attempts = 2147483647",
        "interruptions = -1",
        "handler = repeat('x', 10001)",
        "event_types = array_fill('x'::text, '{1001}')",
    ] {
        let sql = format!("UPDATE eventcore.projections SET {change}");
        let refused = failure(client.batch_execute(&sql).await);
        assert_eq!(refused.code, "23514", "{change}");
    }
}
