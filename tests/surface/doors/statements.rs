//! Statements that would make the tables of eventcore unusable for its functions.

use crate::support::{Client, append, connect, database, event, failure, session_as, value};
use serde_json::json;

async fn still_works(client: &Client, version: i64) {
    append(
        client,
        &[("s", Some(version))],
        json!([event("s", version)]),
    )
    .await
    .unwrap();
    let read = "SELECT count(*) FROM eventcore_read_all()";
    assert_eq!(value::<i64>(client, read).await, version + 1);
}

#[tokio::test]
async fn what_our_functions_find_by_its_name_keeps_it() {
    let (_, client) = database("doors_names").await;
    client
        .batch_execute("CREATE SCHEMA doors_elsewhere")
        .await
        .unwrap();
    for statement in [
        "ALTER SCHEMA eventcore RENAME TO other",
        "ALTER TABLE eventcore.projections RENAME TO other",
        "ALTER TABLE eventcore.events RENAME COLUMN payload TO other",
        "ALTER TABLE eventcore.subscriptions SET SCHEMA doors_elsewhere",
        "ALTER INDEX eventcore.projections_pkey RENAME TO other",
        "ALTER TABLE eventcore.leases RENAME CONSTRAINT leases_pkey TO other",
        "ALTER SEQUENCE eventcore.position_blocks RENAME TO other",
        "ALTER VIEW eventcore.stat_appends RENAME TO other",
        "ALTER FUNCTION eventcore.safe_position() RENAME TO other",
        "ALTER FUNCTION eventcore.safe_position() SET SCHEMA doors_elsewhere",
    ] {
        let failed = failure(client.batch_execute(statement).await);
        let detail = failed.assert_ours("SE009");
        assert_eq!(detail["reason"], "keeps_name", "{statement}");
    }
    // Statements that do not concern names, and names of other objects.
    client
        .batch_execute(
            "ALTER TABLE eventcore.events SET (autovacuum_vacuum_threshold = 100);
             ALTER TABLE eventcore.events ALTER COLUMN payload SET STORAGE EXTERNAL;
             ALTER FUNCTION eventcore.safe_position() COST 2;
             ALTER SCHEMA doors_elsewhere RENAME TO doors_there;
             CREATE TABLE doors_there.events (n int);
             ALTER TABLE doors_there.events RENAME TO others;
             ALTER TABLE doors_there.others RENAME COLUMN n TO m",
        )
        .await
        .unwrap();
    client
        .batch_execute("VACUUM FULL eventcore.events")
        .await
        .unwrap();
    client
        .batch_execute("REINDEX TABLE CONCURRENTLY eventcore.events")
        .await
        .unwrap();
    still_works(&client, 0).await;
}

#[tokio::test]
async fn our_tables_are_not_unlogged_and_no_part_of_another_table() {
    let (_, client) = database("doors_tables").await;
    client
        .batch_execute(
            "CREATE TABLE parent (LIKE eventcore.events);
             CREATE TABLE parts (LIKE eventcore.events) PARTITION BY RANGE (position);
             CREATE TABLE child (LIKE eventcore.events)",
        )
        .await
        .unwrap();
    for (statement, reason) in [
        ("ALTER TABLE eventcore.events SET UNLOGGED", "unlogged"),
        (
            "ALTER TABLE eventcore.subscriptions SET UNLOGGED",
            "unlogged",
        ),
        ("ALTER TABLE eventcore.projections SET UNLOGGED", "unlogged"),
        ("ALTER TABLE eventcore.events INHERIT parent", "inherits"),
        (
            "ALTER TABLE parts ATTACH PARTITION eventcore.events DEFAULT",
            "inherits",
        ),
        ("ALTER TABLE child INHERIT eventcore.events", "inherits"),
        (
            "CREATE TABLE child_of_events () INHERITS (eventcore.events)",
            "inherits",
        ),
    ] {
        let failed = failure(client.batch_execute(statement).await);
        assert_eq!(failed.assert_ours("SE009")["reason"], reason, "{statement}");
    }
    still_works(&client, 0).await;
}

/// Values are equal if their bytes are equal; an index with another collation would find other
/// streams.
#[tokio::test]
async fn another_collation_of_the_streams_is_noticed() {
    let (url, client) = database("doors_collation").await;
    still_works(&client, 0).await;
    client
        .batch_execute(
            "ALTER TABLE eventcore.events ALTER COLUMN stream_id TYPE text COLLATE \"POSIX\"",
        )
        .await
        .unwrap();
    let failed = append(
        &connect(&url).await,
        &[("s", Some(1))],
        json!([event("s", 1)]),
    )
    .await
    .unwrap_err();
    assert_eq!(failed.assert_ours("SE009")["reason"], "table_altered");
    client
        .batch_execute(
            "ALTER TABLE eventcore.events ALTER COLUMN stream_id TYPE text COLLATE \"C\"",
        )
        .await
        .unwrap();
    still_works(&client, 1).await;
}

/// The privilege allows an inline projection, which is registered and can be reviewed; it does not
/// allow code in every statement.
#[tokio::test]
async fn a_role_with_the_privilege_trigger_makes_no_trigger_on_a_table_of_ours() {
    let (_, client) = database("doors_triggers").await;
    client
        .batch_execute(
            "CREATE ROLE doors_trigger LOGIN; GRANT USAGE ON SCHEMA eventcore TO doors_trigger; GRANT CREATE ON SCHEMA public TO doors_trigger;
             GRANT ALL ON ALL TABLES IN SCHEMA eventcore TO doors_trigger;
             CREATE TABLE doors_plain (n int); GRANT ALL ON doors_plain TO doors_trigger",
        )
        .await
        .unwrap();
    let other = session_as("doors_triggers", "doors_trigger").await;
    other
        .batch_execute(
            "CREATE FUNCTION doors_trap() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN EXECUTE 'ALTER ROLE doors_trigger SUPERUSER'; RETURN NEW; END $$;
             CREATE TRIGGER plain BEFORE INSERT ON doors_plain FOR EACH ROW EXECUTE FUNCTION doors_trap()",
        )
        .await
        .unwrap();
    for table in [
        "leases",
        "deliveries",
        "acknowledged",
        "subscriptions",
        "projections",
        "snapshots",
        "commands",
        "events",
    ] {
        let statement = format!(
            "CREATE TRIGGER trap BEFORE INSERT ON eventcore.{table} FOR EACH ROW EXECUTE FUNCTION doors_trap()"
        );
        assert_eq!(
            failure(other.batch_execute(&statement).await).code,
            "42501",
            "{table}"
        );
    }
    // A foreign key consists of triggers on both tables.
    let key = "CREATE TABLE doors_referring (name text COLLATE \"C\" REFERENCES eventcore.subscriptions (name))";
    assert_eq!(failure(other.batch_execute(key).await).code, "42501");

    still_works(&client, 0).await;
    client
        .batch_execute(
            "SELECT eventcore_create_subscription('s'); SELECT * FROM eventcore_poll('s', 'c')",
        )
        .await
        .unwrap();
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = 'doors_trigger'";
    assert!(!value::<bool>(&client, superuser).await);
}
