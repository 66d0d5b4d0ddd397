//! No setting of a session changes the effects of the functions of subscriptions, checkpoints and
//! projections.

use crate::support::{connect, database, failure, session_as, value};

#[tokio::test]
async fn projections_are_created_changed_and_dropped_with_row_security_off() {
    let (_, client) = database("doors_row_security").await;
    client
        .batch_execute(
            "CREATE ROLE doors_rls LOGIN IN ROLE eventcore_projector; ALTER ROLE doors_rls SET row_security = off;
             GRANT CREATE ON DATABASE doors_row_security TO doors_rls;
             CREATE TABLE rls_seen (n bigint); ALTER TABLE rls_seen OWNER TO doors_rls;
             CREATE FUNCTION rls_see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO rls_seen VALUES (e.position)'",
        )
        .await
        .unwrap();
    let one = session_as("doors_row_security", "doors_rls").await;
    one.batch_execute("SET row_security = off").await.unwrap();
    for call in [
        "SELECT eventcore_create_projection('p', 'rls_see', on_error => 'park', tables => '{rls_seen}')",
        "SELECT eventcore_pause_projection('p')",
        "SELECT eventcore.projection_advanced('p', 0)",
        "SELECT eventcore.projection_failed('p', 0, 1, 1, 'ZZ001', 'x')",
        "SELECT * FROM eventcore_projection_parked('p')",
        "SELECT eventcore_replay_projection_parked('p')",
        "SELECT eventcore.projection_replay_failed('p', 1, 'ZZ001', 'x', false, false)",
        "SELECT eventcore_discard_projection_parked('p')",
        "SELECT eventcore_rebuild_projection('p', shadow => true)",
        "SELECT eventcore_drop_projection('p/rebuild')",
        "SELECT eventcore_rebuild_projection('p')",
        "SELECT eventcore_resume_projection('p')",
        "SELECT eventcore.reset_projection('p')",
        "SELECT * FROM eventcore.stat_projections",
        "SELECT eventcore_drop_projection('p')",
    ] {
        if call.contains("eventcore_replay_projection_parked") {
            client
                .batch_execute("INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason) VALUES ('p', 1, 1, 'ZZ001', 'x')")
                .await
                .unwrap();
        }
        if let Err(error) = one.batch_execute(call).await {
            panic!("{call}: {error:?}");
        }
    }
}

#[tokio::test]
async fn what_is_created_as_a_replica_belongs_to_this_database() {
    let (_, client) = database("doors_replica").await;
    client
        .batch_execute(
            "SET session_replication_role = replica;
             CREATE TABLE replica_seen (n bigint);
             CREATE FUNCTION replica_see(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL);
             SELECT eventcore_create_subscription('s');
             SELECT eventcore_advance_checkpoint('c', 0, 1);
             SELECT eventcore_create_projection('p', 'replica_see', tables => '{replica_seen}');
             SELECT eventcore_rebuild_projection('p', shadow => true)",
        )
        .await
        .unwrap();
    let homes = "SELECT count(*) FROM (SELECT home_id FROM eventcore.subscriptions UNION ALL SELECT home_id FROM eventcore.checkpoints
                 UNION ALL SELECT home_id FROM eventcore.projections WHERE table_ids = ARRAY['replica_seen'::regclass::oid]) h
                 WHERE home_id = eventcore.home_id()";
    assert_eq!(value::<i64>(&client, homes).await, 4);
}

#[tokio::test]
async fn rows_by_sql_have_names_and_positions_as_the_functions_take_them() {
    let (url, client) = database("doors_checks").await;
    let statements = |name: &str, position: &str| {
        [
            format!(
                "INSERT INTO eventcore.subscriptions (name, read_position, lease, retry_limit, on_parked)
                 VALUES ({name}, {position}, '1 s', 1, 'stop')"
            ),
            format!("INSERT INTO eventcore.checkpoints (projection, position) VALUES ({name}, {position})"),
            format!(
                "INSERT INTO eventcore.projections (name, checkpoint, owner, batch_size, retry_limit, takes_array, mode, on_error, handler)
                 VALUES ({name}, {position}, current_user::regrole, 1, 1, false, 'async', 'stop', 'f(integer)')"
            ),
        ]
    };
    let command = |name: &str| {
        format!(
            "INSERT INTO eventcore.commands (name, max_attempts, snapshot_every, apply, handle, initial_state)
             VALUES ({name}, 1, 0, 'a', 'h', '1')"
        )
    };
    for name in [
        "''",
        "repeat('x', 256)",
        "repeat('ä', 128)",
        "E'a\\nb'",
        "E'\\x7f'",
        "E'\\x01'",
    ] {
        for statement in statements(name, "1").into_iter().chain([command(name)]) {
            let failed = failure(client.batch_execute(&statement).await);
            assert_eq!(failed.code, "23514", "{statement}: {failed:?}");
        }
    }
    for position in ["-1", "4611686018427387905", "9223372036854775807"] {
        for statement in statements("'n'", position) {
            let failed = failure(client.batch_execute(&statement).await);
            assert_eq!(failed.code, "23514", "{statement}: {failed:?}");
        }
    }
    for position in ["0", "-9223372036854775808", "4611686018427387905"] {
        for statement in [
            format!(
                "INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id) VALUES (gen_random_uuid(), {position}, 1, 's')"
            ),
            format!(
                "INSERT INTO eventcore.parked (subscription_id, position, version, stream_id, attempts) VALUES (gen_random_uuid(), {position}, 1, 's', 1)"
            ),
            format!(
                "INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason) VALUES ('p', {position}, 1, 'ZZ001', 'x')"
            ),
        ] {
            let failed = failure(client.batch_execute(&statement).await);
            assert_eq!(failed.code, "23514", "{statement}: {failed:?}");
        }
    }
    // The same values that the functions accept, whatever the session's setting for backslashes is.
    let other = connect(&url).await;
    for name in ["repeat('x', 255)", "'ä/ü 1'", "'u0001'"] {
        for statement in statements(name, "4611686018427387904")
            .into_iter()
            .chain([command(name)])
        {
            other
                .batch_execute(&statement)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        }
    }
}
