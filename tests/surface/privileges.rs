//! P12: PUBLIC gets nothing, each role gets what its name says, and `search_path` has no effect.

use std::time::Duration;

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::json;

use crate::support::{append, connect, database, event, failure, session_as, stream, value};

/// What is granted to PUBLIC, by name.
const GRANTED_TO_PUBLIC: &str = "
    WITH member AS (
        SELECT d.classid, d.objid
          FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND e.extname = 'eventcore'
    ), acl AS (
        SELECT classid, objid, coalesce(proacl, acldefault('f', proowner)) AS acl
          FROM pg_proc JOIN member ON classid = 'pg_proc'::regclass AND objid = oid
        UNION ALL
        SELECT classid, objid, coalesce(relacl, acldefault(
                   CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner))
          FROM pg_class JOIN member ON classid = 'pg_class'::regclass AND objid = oid
        UNION ALL
        SELECT classid, objid, coalesce(nspacl, acldefault('n', nspowner))
          FROM pg_namespace JOIN member ON classid = 'pg_namespace'::regclass AND objid = oid
    )
    SELECT count(*), count(*) FILTER (WHERE EXISTS (
               SELECT FROM aclexplode(acl) a WHERE a.grantee = 0))
      FROM acl";

#[tokio::test]
async fn nothing_is_granted_to_public_and_nothing_is_security_definer() {
    let (_, client) = database("rights_catalog").await;
    let row = client.query_one(GRANTED_TO_PUBLIC, &[]).await.unwrap();
    let (members, public): (i64, i64) = (row.get(0), row.get(1));
    assert!(members >= 20, "{members}");
    assert_eq!(public, 0);
    let definers =
        "SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
         JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'eventcore' WHERE p.prosecdef";
    assert_eq!(value::<i64>(&client, definers).await, 0);
    let logins = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'eventcore\\_%'
         AND NOT (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)";
    assert_eq!(value::<i64>(&client, logins).await, 6);
}

/// A call of each kind, and the roles that may make it.
const CALLS: &[(&str, &str)] = &[
    (
        "writer",
        "SELECT eventcore_append('{r}', '{NULL}', '[{\"stream\":\"r\",\"type\":\"A\",\"payload\":1}]')",
    ),
    (
        "writer",
        "SELECT eventcore_append('{r}', '{NULL}', '{r}', '{A}', '{1}', NULL)",
    ),
    ("reader", "SELECT * FROM eventcore_read_stream('r')"),
    ("reader", "SELECT * FROM eventcore_read_streams('{r}')"),
    ("reader", "SELECT * FROM eventcore_read_all()"),
    (
        "reader writer",
        "SELECT * FROM eventcore_stream_versions('{r}')",
    ),
    (
        "writer",
        "SELECT eventcore_save_snapshot('state', '{r}', '{1}', '1')",
    ),
    (
        "writer",
        "SELECT eventcore_save_snapshot('state', '{r}', '{1}', '2')",
    ),
    (
        "reader",
        "SELECT * FROM eventcore_load_snapshot('state', '{r}')",
    ),
    ("reader", "SELECT state FROM eventcore.snapshots"),
    ("nobody", "DELETE FROM eventcore.snapshots"),
    ("reader monitor", "SELECT eventcore_safe_position()"),
    ("reader", "SELECT * FROM eventcore_streams()"),
    ("reader", "SELECT eventcore_position_at(now())"),
    ("monitor", "SELECT * FROM eventcore_check()"),
    ("nobody", "SELECT * FROM eventcore_check(thorough => true)"),
    (
        "reader monitor",
        "SELECT position, recorded_at FROM eventcore.events",
    ),
    ("reader", "SELECT payload FROM eventcore.events"),
    ("reader", "SELECT stream_id FROM eventcore.events"),
    ("subscriber monitor", "SELECT consumer FROM eventcore.leases"),
    ("reader", "CALL eventcore_wait(0, '10 ms')"),
    ("reader", "SELECT * FROM eventcore.events"),
    ("reader", "SELECT * FROM eventcore.streams"),
    ("reader monitor", "SELECT * FROM eventcore.stat_appends"),
    ("reader monitor", "SELECT * FROM eventcore.stat_inflight"),
    ("reader monitor", "SELECT * FROM eventcore.stat_notifier"),
    ("reader monitor", "SELECT eventcore.stat_get_appends()"),
    ("reader monitor", "SELECT * FROM eventcore.stat_get_inflight()"),
    ("reader monitor", "SELECT eventcore.stat_get_notifier()"),
    ("reader monitor", "SELECT * FROM eventcore.stat_workers"),
    ("reader monitor", "SELECT eventcore.stat_get_workers()"),
    ("reader monitor", "SELECT * FROM eventcore.stat_subscriptions"),
    (
        "subscriber",
        "SELECT eventcore_create_subscription('rights')",
    ),
    (
        "subscriber",
        "SELECT eventcore_nack('rights', lease_id, action => 'park') FROM eventcore_poll('rights', 'c', 1)",
    ),
    (
        "subscriber",
        "SELECT eventcore_replay_parked('rights'); SELECT * FROM eventcore_parked('rights')",
    ),
    (
        "subscriber",
        "SELECT eventcore_park('rights', '{}')",
    ),
    (
        "subscriber",
        "SELECT eventcore_extend_lease('rights', lease_id) FROM eventcore_poll('rights', 'c', 1)",
    ),
    (
        "subscriber",
        "SELECT eventcore_reset_subscription('rights', 0); SELECT eventcore_discard_parked('rights')",
    ),
    (
        "subscriber",
        "SELECT eventcore_ack('rights', lease_id) FROM eventcore_poll('rights', 'c', 1, '10 ms')",
    ),
    (
        "subscriber",
        "SELECT eventcore_pause_subscription('rights'); SELECT eventcore_resume_subscription('rights')",
    ),
    ("subscriber", "SELECT eventcore_drop_subscription('rights')"),
    (
        "subscriber",
        "SELECT eventcore_advance_checkpoint('rights', eventcore_checkpoint('rights'), 1)",
    ),
    ("subscriber", "SELECT * FROM eventcore.deliveries"),
    (
        "projector",
        "SELECT eventcore_create_projection('rights', 'rights_handler', tables => '{rights_table}')",
    ),
    (
        "projector",
        "SELECT eventcore_pause_projection('rights'); SELECT eventcore_rebuild_projection('rights');
         SELECT eventcore_resume_projection('rights')",
    ),
    (
        "projector",
        "SELECT eventcore_replay_projection_parked('rights'); SELECT eventcore_discard_projection_parked('rights')",
    ),
    ("projector", "SELECT eventcore_drop_projection('rights')"),
    (
        "nobody",
        "SELECT eventcore_rebuild_projection('rights_other', shadow => true)",
    ),
    (
        "nobody",
        "SELECT eventcore_replay_projection_parked('rights_other')",
    ),
    (
        "nobody",
        "SELECT eventcore_discard_projection_parked('rights_other')",
    ),
    (
        "reader",
        "SELECT * FROM eventcore_projection_parked('rights_other')",
    ),
    ("nobody", "SELECT eventcore_pause_projection('rights_other')"),
    ("nobody", "SELECT eventcore_drop_projection('rights_other')"),
    (
        "nobody",
        "SELECT eventcore_create_projection('rights', 'rights_handler', mode => 'inline', start_from => 'now')",
    ),
    ("reader monitor", "SELECT * FROM eventcore.stat_projections"),
    ("reader monitor", "SELECT * FROM eventcore.projections"),
    ("reader", "CALL eventcore_wait_for_projection('rights_other', 0)"),
    (
        "nobody",
        "INSERT INTO eventcore.events SELECT * FROM eventcore.events",
    ),
    (
        "nobody",
        "INSERT INTO eventcore.streams (stream_id, state) VALUES ('r', 'closed')",
    ),
    ("nobody", "UPDATE eventcore.events SET payload = '1'"),
    ("nobody", "DELETE FROM eventcore.events"),
    ("nobody", "TRUNCATE eventcore.events"),
    ("nobody", "DELETE FROM eventcore.streams"),
    ("nobody", "COPY eventcore.events FROM '/dev/null'"),
    ("nobody", "SELECT nextval('eventcore.position_blocks')"),
    ("nobody", "SELECT setval('eventcore.position_blocks', 1)"),
    ("nobody", "SELECT * FROM eventcore.settled_position"),
    (
        "nobody",
        "SELECT setval('eventcore.settled_position', 1000000)",
    ),
    ("nobody", "SET eventcore.allow_drop = on"),
];

#[tokio::test]
async fn reader_and_writer_can_do_what_their_names_say_and_others_nothing() {
    let (_, client) = database("rights_roles").await;
    client
        .batch_execute(
            "CREATE ROLE rights_reader LOGIN IN ROLE eventcore_reader;
             CREATE ROLE rights_writer LOGIN IN ROLE eventcore_writer;
             CREATE ROLE rights_subscriber LOGIN IN ROLE eventcore_subscriber;
             CREATE ROLE rights_projector LOGIN IN ROLE eventcore_projector;
             CREATE ROLE rights_monitor LOGIN IN ROLE eventcore_monitor;
             CREATE ROLE rights_nobody LOGIN;
             CREATE TABLE rights_table (n int);
             CREATE FUNCTION rights_handler(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             SELECT eventcore_create_projection('rights_other', 'rights_handler')",
        )
        .await
        .unwrap();
    append(&client, &[("r", Some(0))], json!([event("r", 1)]))
        .await
        .unwrap();
    let mut wrong = Vec::new();
    for role in [
        "reader",
        "writer",
        "subscriber",
        "projector",
        "monitor",
        "nobody",
    ] {
        let session = session_as("rights_roles", &format!("rights_{role}")).await;
        for &(may, call) in CALLS {
            // A subscriber and a projector are readers too.
            let may: Vec<_> = may.split(' ').collect();
            let allowed = role != "nobody" && may.contains(&role)
                || ["subscriber", "projector"].contains(&role) && may.contains(&"reader");
            match session
                .batch_execute(call)
                .await
                .map_err(crate::support::Failure::from)
            {
                Ok(()) if allowed => {}
                Err(failed) if !allowed && failed.code == "42501" => {}
                other => wrong.push(format!("{role}: {call}: {other:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(stream(&client, "r").await.len(), 3);
}

/// Many times, with positions drawn from a sequence that the writer has no rights on.
#[tokio::test]
async fn a_writer_appends_across_blocks_of_positions_with_no_other_right() {
    let (_, client) = database("rights_blocks").await;
    client
        .batch_execute("CREATE ROLE rights_bulk LOGIN IN ROLE eventcore_writer")
        .await
        .unwrap();
    let writer = session_as("rights_blocks", "rights_bulk").await;
    for round in 0..4 {
        let events: Vec<_> = (0..600).map(|n| event("bulk", n)).collect();
        append(&writer, &[("bulk", Some(round * 600))], json!(events))
            .await
            .unwrap();
    }
    // Repeats and conflicts read the table beneath SQL as well.
    append(&writer, &[("bulk", Some(1))], json!([]))
        .await
        .unwrap_err()
        .assert_ours("SE001");
    failure(writer.batch_execute("SELECT 1 FROM eventcore.events").await);
    assert_eq!(
        value::<String>(&writer, "SELECT current_user::text").await,
        "rights_bulk"
    );
}

/// Every name that eventcore's functions use exists first in the path, and reports when it is used.
const HOSTILE: &str = r#"
    CREATE SCHEMA hostile;
    CREATE FUNCTION hostile.trap() RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'trapped' USING ERRCODE = 'ZZ666'; END $$;
    CREATE TABLE hostile.events (LIKE eventcore.events);
    CREATE TABLE hostile.streams (LIKE eventcore.streams);
    CREATE SEQUENCE hostile.position_blocks;
    CREATE TABLE hostile.pg_class (a int); CREATE TABLE hostile.pg_roles (a int);
    CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT hostile.trap()::timestamptz $$;
    CREATE FUNCTION hostile.eq(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap()::boolean $$;
    CREATE FUNCTION hostile.eq(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap()::boolean $$;
    CREATE FUNCTION hostile.eq(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap()::boolean $$;
    CREATE FUNCTION hostile.eq(jsonb, jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.trap()::boolean $$;
    CREATE OPERATOR hostile.= (FUNCTION = hostile.eq, LEFTARG = text, RIGHTARG = text);
    CREATE OPERATOR hostile.= (FUNCTION = hostile.eq, LEFTARG = bigint, RIGHTARG = bigint);
    CREATE OPERATOR hostile.= (FUNCTION = hostile.eq, LEFTARG = uuid, RIGHTARG = uuid);
    CREATE OPERATOR hostile.= (FUNCTION = hostile.eq, LEFTARG = jsonb, RIGHTARG = jsonb);
    CREATE OPERATOR hostile.> (FUNCTION = hostile.eq, LEFTARG = bigint, RIGHTARG = bigint);
    CREATE OPERATOR hostile.<= (FUNCTION = hostile.eq, LEFTARG = bigint, RIGHTARG = bigint);
    CREATE DOMAIN hostile.text AS pg_catalog.text CHECK (VALUE IS NULL);
    CREATE DOMAIN hostile.regclass AS pg_catalog.int4;
    SET search_path = hostile, pg_temp, public, pg_catalog"#;

#[tokio::test]
async fn a_hostile_schema_first_in_the_search_path_changes_nothing() {
    let (url, client) = database("rights_path").await;
    client.batch_execute(HOSTILE).await.unwrap();
    let plain = connect(&url).await;
    plain
        .batch_execute(
            "CREATE TABLE path_table (n int);
             CREATE FUNCTION path_handler(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT'",
        )
        .await
        .unwrap();
    let id = "0190b0f0-0000-7000-8000-000000000001";
    let call = format!(
        "SELECT public.eventcore_append('{{path}}', '{{0}}',
             '[{{\"stream\":\"path\",\"type\":\"A\",\"payload\":{{\"a\":1}},\"id\":\"{id}\"}}]')"
    );
    for sql in [
        call.as_str(),
        // A repeat compares contents.
        &call,
        "SELECT public.eventcore_read_stream('path')",
        "SELECT public.eventcore_read_all()",
        "SELECT public.eventcore_stream_versions('{path}')",
        "SELECT public.eventcore_safe_position()",
        "CALL public.eventcore_wait(0, '1 s')",
        "SELECT public.eventcore_create_subscription('path')",
        "SELECT public.eventcore_nack('path', lease_id, action => 'park') FROM public.eventcore_poll('path', 'c')",
        "SELECT public.eventcore_replay_parked('path')",
        "SELECT public.eventcore_ack('path', lease_id) FROM public.eventcore_poll('path', 'c')",
        "SELECT public.eventcore_reset_subscription('path', 0)",
        "SELECT public.eventcore_drop_subscription('path')",
        "SELECT public.eventcore_advance_checkpoint('path', 0, 1)",
        "SELECT public.eventcore_save_snapshot('path', '{path}', '{1}', '1')",
        "SELECT public.eventcore_save_snapshot('path', '{path}', '{1}', '2')",
        "SELECT public.eventcore_load_snapshot('path', '{path}')",
        "SELECT * FROM eventcore.stat_subscriptions",
        "SELECT public.eventcore_create_projection('path', 'public.path_handler', tables => '{public.path_table}')",
        "SELECT public.eventcore_pause_projection('path')",
        "SELECT public.eventcore_rebuild_projection('path')",
        "SELECT public.eventcore_resume_projection('path')",
        "CALL public.eventcore_wait_for_projection('path', timeout => '10 ms')",
        "SELECT * FROM eventcore.stat_projections",
        "SELECT * FROM public.eventcore_projection_parked('path')",
        "SELECT public.eventcore_replay_projection_parked('path')",
        "SELECT public.eventcore_discard_projection_parked('path')",
        "SELECT public.eventcore_rebuild_projection('path', shadow => true)",
        "SELECT public.eventcore_drop_projection('path')",
    ] {
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    for change in [
        "UPDATE eventcore.events SET payload = '1'",
        "TRUNCATE eventcore.events",
    ] {
        failure(client.batch_execute(change).await).assert_ours("SE009");
    }
    assert_eq!(stream(&plain, "path").await.len(), 1);
    assert_eq!(
        value::<i64>(&plain, "SELECT count(*) FROM hostile.events").await,
        0
    );
}

#[tokio::test]
async fn the_extension_installs_with_a_hostile_search_path_and_in_any_schema() {
    let url = shared().create_empty_database("rights_schema").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute(
            "CREATE SCHEMA hostile; CREATE SCHEMA \"Some Schema\";
             CREATE FUNCTION hostile.current_setting(text) RETURNS text LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
             CREATE FUNCTION hostile.format(text, text) RETURNS text LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
             CREATE TABLE hostile.events (a int);
             SET search_path = hostile, pg_catalog;
             CREATE EXTENSION eventcore SCHEMA \"Some Schema\"",
        )
        .await
        .unwrap();
    let client = connect(&url).await;
    client
        .batch_execute("SET search_path = \"Some Schema\"")
        .await
        .unwrap();
    append(&client, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    assert_eq!(stream(&client, "s").await.len(), 1);
    let elsewhere = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'eventcore%'
         AND pronamespace <> '\"Some Schema\"'::regnamespace";
    assert_eq!(value::<i64>(&client, elsewhere).await, 0);
    failure(
        client
            .batch_execute("ALTER EXTENSION eventcore SET SCHEMA public")
            .await,
    );
}

/// The roles work wherever the functions are, once the owner of the schema grants its use.
#[tokio::test]
async fn reader_and_writer_reach_the_functions_in_a_schema_of_their_own() {
    let url = shared().create_empty_database("rights_reach").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute(
            "CREATE SCHEMA es; CREATE EXTENSION eventcore SCHEMA es;
             GRANT USAGE ON SCHEMA es TO eventcore_reader, eventcore_writer;
             CREATE ROLE reach_writer LOGIN IN ROLE eventcore_writer, eventcore_reader",
        )
        .await
        .unwrap();
    let writer = session_as("rights_reach", "reach_writer").await;
    writer.batch_execute("SET search_path = es").await.unwrap();
    append(&writer, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    assert_eq!(stream(&writer, "s").await.len(), 1);
}

#[tokio::test]
async fn a_role_with_no_rights_cannot_create_the_extension() {
    let url = shared().create_empty_database("rights_create").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute("CREATE ROLE rights_creator LOGIN; GRANT ALL ON DATABASE rights_create TO rights_creator")
        .await
        .unwrap();
    let session = session_as("rights_create", "rights_creator").await;
    assert_eq!(
        failure(session.batch_execute("CREATE EXTENSION eventcore").await).code,
        "42501"
    );
}

/// A role that may create a schema could create tables with eventcore's names before the extension
/// exists.
#[tokio::test]
async fn tables_of_our_names_that_are_not_ours_are_not_looked_at() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_empty_database("fakes").unwrap();
    connect(&url)
        .await
        .batch_execute(
            "CREATE SCHEMA eventcore;
             CREATE TABLE eventcore.events (position bigint NOT NULL, version bigint NOT NULL,
                 recorded_at timestamptz NOT NULL, event_id uuid NOT NULL, stream_id text NOT NULL,
                 event_type text NOT NULL, payload jsonb NOT NULL, metadata jsonb, correlation_id uuid,
                 causation_id uuid) PARTITION BY RANGE (position);
             CREATE TABLE eventcore.streams (stream_id text, state text NOT NULL);
             CREATE TABLE eventcore.other (n int);
             CREATE INDEX events_pkey ON eventcore.other (n);
             CREATE INDEX events_stream_id_version_key ON eventcore.other (n);
             CREATE INDEX streams_pkey ON eventcore.other (n);
             CREATE SEQUENCE eventcore.position_blocks;
             CREATE SEQUENCE eventcore.settled_position",
        )
        .await
        .unwrap();
    // At its start the server looks for the extension in every database.
    server.restart().unwrap();
    for _ in 0..20 {
        connect(&url).await.batch_execute("SELECT 1").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        !server.log().contains("terminated by signal"),
        "{}",
        server.log_tail(20)
    );
}
