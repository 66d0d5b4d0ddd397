//! No role of eventcore can block another role's work with a lock.

use crate::support::{
    append, connect, database, event, failure, server_with_workers, session_as, value,
};
use eventcore_harness::{Server, ServerOptions};
use serde_json::json;

#[tokio::test]
async fn a_projector_locks_nothing_of_another_ones_projections() {
    // The projection occupies a worker.
    let server = server_with_workers();
    let client = connect(&server.create_database("doors_locks").unwrap()).await;
    client
        .batch_execute(
            "CREATE ROLE doors_one LOGIN IN ROLE eventcore_projector; CREATE ROLE doors_two LOGIN IN ROLE eventcore_projector;
             GRANT CREATE ON SCHEMA public TO doors_one",
        )
        .await
        .unwrap();
    let one = connect(&server.url("doors_locks")).await;
    one.batch_execute("SET SESSION AUTHORIZATION doors_one")
        .await
        .unwrap();
    one.batch_execute(
        "CREATE TABLE doors_seen (n bigint);
         CREATE FUNCTION doors_see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO doors_seen VALUES (e.position); IF e.event_type = 'Bad' THEN RAISE 'bad'; END IF; END $$;
         SELECT eventcore_create_projection('one', 'doors_see', on_error => 'park', retry_limit => 0)",
    )
    .await
    .unwrap();
    let bad = json!([{"stream": "l", "type": "Bad", "payload": 1}]);
    append(&client, &[("l", Some(0))], bad).await.unwrap();
    client
        .batch_execute("CALL eventcore_wait_for_projection('one', timeout => '60 s')")
        .await
        .unwrap();
    let parked = "SELECT count(*) FROM eventcore.projection_parked";
    assert_eq!(value::<i64>(&client, parked).await, 1);

    let two = connect(&server.url("doors_locks")).await;
    two.batch_execute("SET SESSION AUTHORIZATION doors_two")
        .await
        .unwrap();
    for statement in [
        "LOCK TABLE eventcore.projections IN SHARE MODE",
        "LOCK TABLE eventcore.projections IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE eventcore.projection_parked IN SHARE MODE",
        "LOCK TABLE eventcore.projection_parked IN ACCESS EXCLUSIVE MODE",
        "DELETE FROM eventcore.projection_parked",
        "SELECT eventcore.delete_projection('one')",
        "SELECT eventcore.delete_projection_parked('one', NULL)",
        "SELECT eventcore.lock_projection('one')",
    ] {
        let failed = failure(two.batch_execute(&format!("BEGIN; {statement}")).await);
        assert_eq!(failed.code, "42501", "{statement}: {failed:?}");
        two.batch_execute("ROLLBACK").await.unwrap();
    }
    // An open transaction that has tried every way to lock the rows.
    two.batch_execute(
        "BEGIN; SELECT * FROM eventcore.projections FOR UPDATE; SELECT * FROM eventcore.projections FOR KEY SHARE;
         SELECT * FROM eventcore.projection_parked FOR UPDATE;
         UPDATE eventcore.projections SET checkpoint = 0; UPDATE eventcore.projection_parked SET replay = true",
    )
    .await
    .unwrap();
    append(&client, &[("l", Some(1))], json!([event("l", 1)]))
        .await
        .unwrap();
    client
        .batch_execute("CALL eventcore_wait_for_projection('one', timeout => '60 s')")
        .await
        .unwrap();
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM doors_seen").await,
        1
    );
    assert_eq!(
        value::<i64>(&one, "SELECT eventcore_discard_projection_parked('one')").await,
        1
    );
    assert_eq!(value::<i64>(&client, parked).await, 0);
    one.batch_execute("SELECT eventcore_drop_projection('one')")
        .await
        .unwrap();
    two.batch_execute("ROLLBACK").await.unwrap();
}

/// The tables behind leases. A subscriber can delete all their rows, so it can stop other
/// subscribers in any case.
const OF_SUBSCRIBERS: [&str; 5] = ["acknowledged", "backlogs", "deliveries", "leases", "parked"];

#[tokio::test]
async fn no_role_locks_a_table_that_an_append_or_the_start_of_the_server_waits_for() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let client = connect(&server.create_database("doors_tables").unwrap()).await;
    client
        .batch_execute(
            "CREATE ROLE doors_all LOGIN IN ROLE eventcore_reader, eventcore_writer, eventcore_subscriber, eventcore_executor, eventcore_projector;
             SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL); SELECT eventcore_create_subscription('s');
             SELECT eventcore_create_subscription('gone'); SELECT eventcore_drop_subscription('gone')",
        )
        .await
        .unwrap();
    let tables = "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'eventcore'::regnamespace AND relkind = 'r'";
    let tables: String = value(&client, tables).await;
    assert!(tables.split(',').count() > 12, "{tables}");
    drop(client);
    server.restart().unwrap();
    let other = connect(&server.url("doors_tables")).await;
    other
        .batch_execute("SET SESSION AUTHORIZATION doors_all")
        .await
        .unwrap();
    let modes = [
        "SHARE UPDATE EXCLUSIVE",
        "SHARE",
        "SHARE ROW EXCLUSIVE",
        "EXCLUSIVE",
        "ACCESS EXCLUSIVE",
    ];
    for table in tables
        .split(',')
        .filter(|table| !OF_SUBSCRIBERS.contains(table))
    {
        for mode in modes {
            let statement = format!("BEGIN; LOCK TABLE eventcore.{table} IN {mode} MODE");
            let failed = failure(other.batch_execute(&statement).await);
            assert_eq!(failed.code, "42501", "{statement}: {failed:?}");
            other.batch_execute("ROLLBACK").await.unwrap();
        }
    }
    // The first append after a restart, while all remaining locks are held.
    other.batch_execute("BEGIN").await.unwrap();
    for table in OF_SUBSCRIBERS {
        let statement = format!("LOCK TABLE eventcore.{table} IN ACCESS EXCLUSIVE MODE");
        other.batch_execute(&statement).await.unwrap();
    }
    let client = connect(&server.url("doors_tables")).await;
    client
        .batch_execute(
            "SET statement_timeout = '10 s'; SELECT eventcore_append('{s}', '{1}', '{s}', '{T}', '{1}', NULL)",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_writer_keeps_no_other_from_saving_snapshots() {
    let (_, client) = database("doors_snapshots").await;
    client
        .batch_execute("CREATE ROLE doors_saver LOGIN IN ROLE eventcore_writer")
        .await
        .unwrap();
    append(&client, &[("s", Some(0))], json!([event("s", 1)]))
        .await
        .unwrap();
    let writer = session_as("doors_snapshots", "doors_saver").await;
    writer
        .batch_execute("SELECT eventcore_save_snapshot('a', '{s}', '{1}', '1')")
        .await
        .unwrap();
    for mode in ["SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"] {
        let statement = format!("LOCK TABLE eventcore.snapshots IN {mode} MODE");
        let failed = failure(writer.batch_execute(&format!("BEGIN; {statement}")).await);
        assert_eq!(failed.code, "42501", "{mode}: {failed:?}");
        writer.batch_execute("ROLLBACK").await.unwrap();
    }
    // It locks the existing snapshots, and saves missing ones, in a transaction that stays open.
    writer
        .batch_execute(
            "BEGIN; SELECT name FROM eventcore.snapshots FOR UPDATE; SELECT eventcore_save_snapshot('b', '{s}', '{1}', '1')",
        )
        .await
        .unwrap();
    for name in ["a", "b"] {
        let saved = format!("SELECT eventcore_save_snapshot('{name}', '{{s}}', '{{1}}', '2')");
        assert!(!value::<bool>(&client, &saved).await, "{name}");
    }
    let state = "SELECT state::text FROM eventcore_load_snapshot('a', '{s}')";
    assert_eq!(value::<String>(&client, state).await, "1");
    writer.batch_execute("COMMIT").await.unwrap();
    assert!(
        value::<bool>(
            &client,
            "SELECT eventcore_save_snapshot('b', '{s}', '{1}', '2')"
        )
        .await
    );
}
