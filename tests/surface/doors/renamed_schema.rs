//! The schema of the public functions is renamed, and another role creates functions of the same
//! names in a new schema.

use crate::support::{
    append, connect, database, event, failure, server_with_workers, session_as, value,
};
use serde_json::json;

/// The other role's functions: each reports when it is called.
const TRAPS: &str = "
    CREATE FUNCTION public.trap() RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'trapped' USING ERRCODE = 'ZZ666'; END $$;
    CREATE FUNCTION public.eventcore_safe_position() RETURNS bigint LANGUAGE sql AS 'SELECT public.trap()';
    CREATE FUNCTION public.eventcore_drop_projection(name text) RETURNS void LANGUAGE sql AS 'SELECT public.trap()';
    CREATE FUNCTION public.eventcore_stream_versions(streams text[]) RETURNS TABLE (stream_id text, version bigint)
        LANGUAGE sql AS $$ SELECT 'x', public.trap() $$;
    CREATE FUNCTION public.eventcore_read_all(bigint, integer, boolean, text[], text[], boolean)
        RETURNS TABLE (\"position\" bigint, stream_id text, version bigint)
        LANGUAGE sql AS $$ SELECT public.trap(), 'x', 1::bigint $$";

const CALLS: &[&str] = &[
    "SELECT moved.eventcore_save_snapshot('s', '{renamed}', '{1}', '1')",
    "SELECT moved.eventcore_save_snapshot('s', '{renamed}', '{1}', '2')",
    "SELECT * FROM moved.eventcore_load_snapshot('s', '{renamed}')",
    "SELECT moved.eventcore_create_subscription('s', start_from => '1')",
    "SELECT moved.eventcore_reset_subscription('s', 0)",
    "SELECT moved.eventcore_nack('s', lease_id) FROM moved.eventcore_poll('s', 'c')",
    "SELECT moved.eventcore_nack('s', lease_id, action => 'park') FROM moved.eventcore_poll('s', 'c')",
    "SELECT moved.eventcore_replay_parked('s')",
    "SELECT moved.eventcore_extend_lease('s', lease_id) FROM moved.eventcore_poll('s', 'c')",
    "SELECT moved.eventcore_reset_subscription('s', 0)",
    "SELECT moved.eventcore_ack('s', lease_id) FROM moved.eventcore_poll('s', 'c')",
    "SELECT * FROM eventcore.stat_subscriptions",
    "SELECT moved.eventcore_drop_subscription('s')",
    "SELECT moved.eventcore_advance_checkpoint('s', moved.eventcore_checkpoint('s'), 1)",
    "SELECT moved.eventcore_create_projection('p', 'moved.renamed_handler', start_from => 'now', tables => '{moved.renamed_table}')",
    "SELECT * FROM eventcore.stat_projections",
    "SELECT moved.eventcore_pause_projection('p')",
    "SELECT moved.eventcore_rebuild_projection('p', shadow => true)",
    "SELECT moved.eventcore_drop_projection('p')",
    "SELECT moved.eventcore_register_command('c', 'moved.renamed_apply', 'moved.renamed_handle', streams => '{/s}')",
    "SELECT * FROM moved.eventcore_execute('c', '{\"s\": \"renamed\"}')",
    "SELECT moved.eventcore_discard_command_states('c')",
    "SELECT moved.eventcore_drop_command('c')",
    "SELECT * FROM moved.eventcore_read_stream('renamed')",
    "SELECT * FROM moved.eventcore_read_all()",
    "CALL moved.eventcore_wait(0, '1 s')",
];

#[tokio::test]
async fn the_public_functions_work_and_call_no_function_of_another_role_after_their_schema_is_renamed()
 {
    let (_, client) = database("doors_renamed").await;
    append(&client, &[("renamed", None)], json!([event("renamed", 1)]))
        .await
        .unwrap();
    client
        .batch_execute(
            "CREATE TABLE renamed_table (n int);
             CREATE FUNCTION renamed_handler(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             CREATE FUNCTION renamed_apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION renamed_handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '[]'::jsonb $$;
             CREATE ROLE renamed_other LOGIN;
             ALTER SCHEMA public RENAME TO moved;
             CREATE SCHEMA public;
             GRANT ALL ON SCHEMA public TO renamed_other",
        )
        .await
        .unwrap();
    let other = session_as("doors_renamed", "renamed_other").await;
    other.batch_execute(TRAPS).await.unwrap();

    let mut wrong = Vec::new();
    for call in CALLS {
        if let Err(error) = client.batch_execute(call).await {
            wrong.push(format!("{call}: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_body_of_a_function_names_the_schema_of_the_public_functions() {
    let (_, client) = database("doors_bodies").await;
    client
        .batch_execute(
            "DROP EXTENSION eventcore; CREATE SCHEMA doors_elsewhere; CREATE EXTENSION eventcore SCHEMA doors_elsewhere",
        )
        .await
        .unwrap();
    let named = "SELECT coalesce(string_agg(p.oid::regprocedure::text, ', '), '') FROM pg_proc p
         JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
         JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'eventcore'
         WHERE p.prosrc ~ 'doors_elsewhere|public\\.' OR array_to_string(p.proconfig, ' ') ~ 'doors_elsewhere|public'";
    assert_eq!(value::<String>(&client, named).await, "");
}

/// The functions of an application, and another role's functions of the same names.
fn functions(says: &str) -> String {
    format!(
        "CREATE TABLE app.seen (position bigint);
         GRANT ALL ON app.seen TO PUBLIC;
         CREATE FUNCTION app.apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION app.handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS
             $$ SELECT '[{{\"stream\": \"done\", \"type\": \"{says}\", \"payload\": 1}}]'::jsonb $$;
         CREATE FUNCTION app.see(e eventcore.events) RETURNS void LANGUAGE sql AS
             'INSERT INTO app.seen VALUES (e.position)'"
    )
}

#[tokio::test]
async fn no_function_of_another_role_becomes_a_handler_or_a_command_when_their_schema_is_renamed() {
    let server = server_with_workers();
    let url = server.create_database("doors_squatted").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute(&format!(
            "CREATE ROLE squatted_app LOGIN IN ROLE eventcore_projector, eventcore_executor, eventcore_writer;
             CREATE ROLE squatter LOGIN IN ROLE eventcore_reader;
             GRANT CREATE ON DATABASE doors_squatted TO squatted_app, squatter;
             GRANT TRIGGER ON eventcore.events TO squatted_app;
             SET SESSION AUTHORIZATION squatted_app;
             CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; {};
             SELECT eventcore_create_projection('async', 'app.see');
             SELECT eventcore_create_projection('inline', 'app.see', mode => 'inline', start_from => 'now', stream_prefixes => '{{inline}}');
             RESET SESSION AUTHORIZATION;
             SELECT eventcore_register_command('c', 'app.apply', 'app.handle', streams => '{{/s}}')",
            functions("Own")
        ))
        .await
        .unwrap();
    let execute = "SELECT * FROM eventcore_execute('c', '{\"s\": \"done\"}')";
    let inline = "SELECT * FROM eventcore_append('{inline}', '{NULL}', '[{\"stream\": \"inline\", \"type\": \"T\", \"payload\": 1}]')";
    client.batch_execute(execute).await.unwrap();
    client.batch_execute(inline).await.unwrap();
    let done = "CALL eventcore_wait_for_projection('async', timeout => '20 s')";
    client.batch_execute(done).await.unwrap();
    let seen = "SELECT array_agg(position ORDER BY position)::text FROM app.seen";
    assert_eq!(value::<String>(&client, seen).await, "{1,2,2}");

    client
        .batch_execute("ALTER SCHEMA app RENAME TO moved")
        .await
        .unwrap();
    let other = connect(&url).await;
    other
        .batch_execute(&format!(
            "SET SESSION AUTHORIZATION squatter;
             CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; {}",
            functions("Trapped")
        ))
        .await
        .unwrap();
    // Sessions that have called them before, and a session that has not.
    let fresh = connect(&url).await;
    fresh
        .batch_execute("SET SESSION AUTHORIZATION squatted_app")
        .await
        .unwrap();
    for session in [&client, &fresh] {
        for call in [execute, inline] {
            let error = failure(session.batch_execute(call).await);
            error.assert_ours("SE007");
            assert!(error.hint.contains("another role"), "{error:?}");
        }
    }
    client
        .batch_execute("SELECT * FROM eventcore_append('{s}', '{NULL}', '[{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}]')")
        .await
        .unwrap();
    let failed = failure(client.batch_execute(done).await);
    assert_eq!(failed.code, "SE009", "{failed:?}");
    assert_eq!(
        value::<i64>(&other, "SELECT count(*) FROM app.seen").await,
        0
    );
    let trapped = "SELECT count(*) FROM eventcore.events WHERE event_type = 'Trapped'";
    assert_eq!(value::<i64>(&other, trapped).await, 0);

    // After the schema is renamed back, they are the same functions again.
    other
        .batch_execute("DROP SCHEMA app CASCADE")
        .await
        .unwrap();
    client
        .batch_execute(
            "ALTER SCHEMA moved RENAME TO app; SELECT eventcore_resume_projection('async')",
        )
        .await
        .unwrap();
    client.batch_execute(execute).await.unwrap();
    client.batch_execute(inline).await.unwrap();
    client.batch_execute(done).await.unwrap();
}
