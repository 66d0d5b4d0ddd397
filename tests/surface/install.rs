//! Where eventcore can be used, and what it reports where it cannot.

use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::json;

use crate::support::{
    append, connect, database, event, failure, major, server_with_workers, stream, value,
};

#[tokio::test]
async fn without_preload_everything_says_se009_and_how_to_change_it() {
    let server = Server::start(ServerOptions::new().without_preload().without_fsync()).unwrap();
    let client = connect(&server.url("postgres")).await;
    let failed = failure(client.batch_execute("CREATE EXTENSION eventcore").await);
    assert_eq!(
        failed.assert_ours("SE009"),
        json!({"reason": "not_preloaded"})
    );
    assert!(
        failed.hint.contains("shared_preload_libraries"),
        "{failed:?}"
    );
    let failed = failure(client.batch_execute("LOAD 'eventcore'").await);
    assert_eq!(
        failed.assert_ours("SE009"),
        json!({"reason": "not_preloaded"})
    );
    // The session and other sessions continue.
    assert_eq!(value::<i32>(&client, "SELECT 1").await, 1);
    assert_eq!(
        failure(client.batch_execute("SELECT 1/0").await).code,
        "22012"
    );
    failure(client.batch_execute("CREATE EXTENSION eventcore").await).assert_ours("SE009");
}

/// From PostgreSQL 18 on.
#[tokio::test]
async fn the_server_lists_the_loaded_library_with_its_version() {
    if major(shared()) < 18 {
        return;
    }
    let (_, client) = database("install_module").await;
    let module =
        "SELECT m.version = v.library FROM pg_get_loaded_modules() m, eventcore_version() v
                   WHERE m.module_name = 'eventcore'";
    assert!(value::<bool>(&client, module).await);
}

#[tokio::test]
async fn every_role_can_ask_for_the_versions_in_use() {
    let (_, client) = database("install_versions").await;
    let server: String = value(&client, "SELECT split_part(version(), ' ', 2)").await;
    for role in ["reader", "writer", "executor", "subscriber", "projector"] {
        client
            .batch_execute(&format!("SET ROLE eventcore_{role}"))
            .await
            .unwrap();
        let sql = "SELECT extension, library, server FROM eventcore_version()";
        let row = client.query_one(sql, &[]).await.unwrap();
        let versions: [&str; 3] = [row.get(0), row.get(1), row.get(2)];
        let present = env!("CARGO_PKG_VERSION");
        assert_eq!(versions, [present, present, &server], "{role}");
    }
}

#[tokio::test]
async fn a_database_of_another_encoding_says_se009() {
    let server = shared();
    server
        .psql(
            "postgres",
            "CREATE DATABASE install_latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'",
        )
        .unwrap();
    let client = connect(&server.url("install_latin")).await;
    let failed = failure(client.batch_execute("CREATE EXTENSION eventcore").await);
    assert_eq!(failed.assert_ours("SE009"), json!({"reason": "encoding"}));
    assert_eq!(
        value::<i64>(
            &client,
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'eventcore'"
        )
        .await,
        0
    );
}

#[tokio::test]
async fn too_many_databases_are_se009_and_a_dropped_one_makes_room() {
    let options = ServerOptions::new()
        .without_fsync()
        .set("eventcore.max_databases", "2");
    let server = Server::start(options).unwrap();
    let mut sessions = Vec::new();
    for n in 0..3 {
        sessions.push(connect(&server.create_database(&format!("d{n}")).unwrap()).await);
    }
    for client in &sessions[..2] {
        append(client, &[("a", Some(0))], json!([event("a", 1)]))
            .await
            .unwrap();
    }
    let failed = append(&sessions[2], &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap_err();
    assert_eq!(
        failed.assert_ours("SE009"),
        json!({"reason": "too_many_databases"})
    );
    drop(sessions.remove(0));
    server
        .psql("postgres", "DROP DATABASE d0 WITH (FORCE)")
        .unwrap();
    append(&sessions[1], &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap();
    assert_eq!(stream(&sessions[0], "a").await.len(), 1);
    assert_eq!(stream(&sessions[1], "a").await.len(), 1);
}

/// A notifier runs in each of these databases, but the statements do not wait for it.
#[tokio::test]
async fn databases_are_dropped_copied_renamed_and_moved_at_once_although_a_notifier_runs_there() {
    let server = server_with_workers();
    let admin = connect(&server.url("postgres")).await;
    for (name, sql) in [
        ("busy_drop", "DROP DATABASE busy_drop"),
        ("busy_force", "DROP DATABASE busy_force WITH (FORCE)"),
        (
            "busy_copy",
            "CREATE DATABASE busy_copied TEMPLATE busy_copy",
        ),
        (
            "busy_copy_2",
            "CREATE DATABASE busy_copied_2 STRATEGY file_copy TEMPLATE = busy_copy_2",
        ),
        (
            "busy_rename",
            "ALTER DATABASE busy_rename RENAME TO busy_renamed",
        ),
    ] {
        let client = connect(&server.create_database(name).unwrap()).await;
        append(&client, &[("a", Some(0))], json!([event("a", 1)]))
            .await
            .unwrap();
        let notifiers = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'
                AND backend_type = 'eventcore notifier'"
        );
        let started = Instant::now();
        while value::<i64>(&admin, &notifiers).await == 0 {
            assert!(
                started.elapsed() < Duration::from_secs(5),
                "no notifier in {name}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Another test checks whether the first append starts a notifier at once.
            append(&client, &[("more", None)], json!([event("more", 1)]))
                .await
                .unwrap();
        }
        drop(client);
        let sessions = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'
            AND backend_type = 'client backend'"
        );
        while value::<i64>(&admin, &sessions).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // These statements make checkpoints of their own, which should have little to write.
        admin.batch_execute("CHECKPOINT").await.unwrap();
        // With a notifier that stays, the server waits for 5 seconds and gives up.
        admin
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    for name in ["busy_copy", "busy_copied", "busy_copied_2", "busy_renamed"] {
        let client = connect(&server.url(name)).await;
        let done = append(&client, &[("a", Some(1))], json!([event("a", 2)]))
            .await
            .unwrap();
        assert_eq!(
            value::<i64>(&client, "SELECT eventcore_safe_position()").await,
            done.positions.unwrap().1
        );
        assert_eq!(stream(&client, "a").await.len(), 2, "{name}");
    }
}

/// eventcore's hooks run around every utility statement and do not change its errors.
#[tokio::test]
async fn the_sqlstates_of_other_code_survive() {
    let (_, client) = database("install_sqlstates").await;
    client
        .batch_execute(
            "CREATE PROCEDURE raises() LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'ZZ123', DETAIL = 'd', HINT = 'h'; END $$;
             CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; CALL raises(); END $$;
             CREATE FUNCTION raising() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN CALL raises(); END $$;
             CREATE FUNCTION raising_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN CALL raises(); END $$;
             CREATE TABLE t (a int); CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION raising_row()",
        )
        .await
        .unwrap();
    for sql in [
        "DO $$ BEGIN RAISE EXCEPTION 'mine' USING ERRCODE = 'ZZ123', DETAIL = 'd', HINT = 'h'; END $$",
        "CALL raises()",
        "CALL commits()",
        "DO $$ BEGIN CALL raises(); END $$",
        "DO $$ BEGIN EXECUTE 'CALL raises()'; END $$",
        "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
        "COPY t FROM PROGRAM 'echo 1'",
        "CREATE EVENT TRIGGER e ON ddl_command_start WHEN TAG IN ('CREATE TABLE')
             EXECUTE FUNCTION raising(); CREATE TABLE u (a int)",
        "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION raising(); DROP TABLE t",
    ] {
        let failed = failure(client.batch_execute(sql).await);
        assert_eq!(
            (failed.code.as_str(), failed.hint.as_str()),
            ("ZZ123", "h"),
            "{sql}: {failed:?}"
        );
        assert_eq!(failed.detail.as_deref(), Some("d"), "{sql}");
    }
}
