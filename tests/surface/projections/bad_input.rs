//! P13: what is wrong with an argument is said by name.

use super::{create, database};
use crate::support::{failure, value};

const CALLS: &[(&str, &str, &str)] = &[
    ("SE003", "name", "eventcore_create_projection('', 'see')"),
    ("SE003", "name", "eventcore_create_projection(NULL, 'see')"),
    (
        "SE003",
        "name",
        "eventcore_create_projection('there', 'see')",
    ),
    ("SE003", "handler", "eventcore_create_projection('p', NULL)"),
    ("SE003", "handler", "eventcore_create_projection('p', '0')"),
    (
        "SE003",
        "handler",
        "eventcore_create_projection('p', 'pg_sleep')",
    ),
    (
        "SE003",
        "handler",
        "eventcore_create_projection('p', 'answers')",
    ),
    (
        "SE003",
        "mode",
        "eventcore_create_projection('p', 'see', 'sync')",
    ),
    (
        "SE003",
        "mode",
        "eventcore_create_projection('p', 'see', NULL)",
    ),
    (
        "SE003",
        "start_from",
        "eventcore_create_projection('p', 'see', start_from => 'end')",
    ),
    (
        "SE003",
        "start_from",
        "eventcore_create_projection('p', 'see', start_from => '99')",
    ),
    (
        "SE003",
        "start_from",
        "eventcore_create_projection('p', 'see', start_from => NULL)",
    ),
    (
        "SE003",
        "start_from",
        "eventcore_create_projection('p', 'see', 'inline')",
    ),
    (
        "SE003",
        "batch_size",
        "eventcore_create_projection('p', 'see', batch_size => 0)",
    ),
    (
        "SE003",
        "batch_size",
        "eventcore_create_projection('p', 'see', batch_size => NULL)",
    ),
    (
        "SE003",
        "on_error",
        "eventcore_create_projection('p', 'see', on_error => 'cry')",
    ),
    (
        "SE003",
        "retry_limit",
        "eventcore_create_projection('p', 'see', retry_limit => -1)",
    ),
    (
        "SE003",
        "stream_prefixes",
        "eventcore_create_projection('p', 'see', stream_prefixes => '{}')",
    ),
    (
        "SE003",
        "event_types",
        "eventcore_create_projection('p', 'see', event_types => '{NULL}')",
    ),
    (
        "SE003",
        "reset",
        "eventcore_create_projection('p', 'see', reset => 'see')",
    ),
    (
        "SE003",
        "tables",
        "eventcore_create_projection('p', 'see', tables => '{NULL}')",
    ),
    (
        "SE003",
        "tables",
        "eventcore_create_projection('p', 'see', tables => '{pg_stat_activity}')",
    ),
    (
        "SE003",
        "tables",
        "eventcore_create_projection('p', 'see', tables => '{eventcore.subscriptions}')",
    ),
    ("SE003", "name", "eventcore_pause_projection(NULL)"),
    ("SE007", "", "eventcore_pause_projection('none')"),
    ("SE007", "", "eventcore_resume_projection('none')"),
    ("SE007", "", "eventcore_drop_projection('none')"),
    ("SE007", "", "eventcore_rebuild_projection('none')"),
    ("SE003", "name", "eventcore_rebuild_projection('there')"),
    (
        "SE003",
        "name",
        "eventcore_create_projection('there/rebuild', 'see')",
    ),
    (
        "SE003",
        "shadow",
        "eventcore_rebuild_projection('there', shadow => NULL)",
    ),
    ("SE007", "", "eventcore_projection_parked('none')"),
    ("SE003", "projection", "eventcore_projection_parked(NULL)"),
    (
        "SE003",
        "after_position",
        "eventcore_projection_parked('there', -1)",
    ),
    (
        "SE003",
        "max_count",
        "eventcore_projection_parked('there', 0, -1)",
    ),
    ("SE007", "", "eventcore_replay_projection_parked('none')"),
    (
        "SE003",
        "projection",
        "eventcore_replay_projection_parked('')",
    ),
    (
        "SE003",
        "positions",
        "eventcore_replay_projection_parked('there', '{1}')",
    ),
    (
        "SE003",
        "positions",
        "eventcore_replay_projection_parked('there', '{NULL}')",
    ),
    ("SE007", "", "eventcore_discard_projection_parked('none')"),
    (
        "SE003",
        "positions",
        "eventcore_discard_projection_parked('there', '{{1}}')",
    ),
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
    for (code, argument, call) in CALLS {
        let failed = failure(client.batch_execute(&format!("SELECT {call}")).await);
        assert_eq!(failed.code, *code, "{call}: {failed:?}");
        let detail = failed.assert_ours(code);
        if !argument.is_empty() {
            assert_eq!(detail["argument"], *argument, "{call}");
        }
    }
    for (code, call) in [
        ("SE003", "(NULL)"),
        ("SE003", "('there', -1)"),
        ("SE003", "('there', 1, NULL)"),
        ("SE003", "('there', 1, '-1 s')"),
        ("SE007", "('none')"),
    ] {
        let sql = format!("CALL eventcore_wait_for_projection{call}");
        failure(client.batch_execute(&sql).await).assert_ours(code);
    }
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

/// Whoever writes the row himself writes none that a worker would never come to an end with.
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
