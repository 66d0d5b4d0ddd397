//! P9: events are not dropped by accident.

use serde_json::json;

use crate::support::{Client, append, connect, database, event, failure, read, stream, value};

async fn fill(client: &Client, name: &str) -> (i64, i64) {
    append(
        client,
        &[(name, None)],
        json!([event(name, 1), event(name, 2)]),
    )
    .await
    .unwrap()
    .positions
    .unwrap()
}

/// Every way to drop the tables while they belong to the extension. ALTER EXTENSION … DROP TABLE
/// makes a table an ordinary one; dropping it afterwards is deliberate.
const DROPS: [&str; 14] = [
    "DROP EXTENSION eventcore",
    "DROP EXTENSION eventcore CASCADE",
    "DROP EXTENSION IF EXISTS amcheck, eventcore CASCADE",
    "DROP SCHEMA eventcore",
    "DROP SCHEMA eventcore CASCADE",
    "DROP SCHEMA public CASCADE",
    "DROP OWNED BY drop_owner",
    "DROP OWNED BY drop_owner CASCADE",
    "DROP TABLE eventcore.events",
    "DROP TABLE eventcore.events CASCADE",
    "ALTER TABLE eventcore.events RENAME TO renamed; DROP EXTENSION eventcore CASCADE",
    "ALTER INDEX eventcore.events_pkey RENAME TO renamed; DROP EXTENSION eventcore CASCADE",
    "ALTER SCHEMA eventcore RENAME TO renamed; DROP EXTENSION eventcore CASCADE",
    "ALTER TABLE eventcore.events ADD COLUMN extra int; DROP EXTENSION eventcore CASCADE",
];

#[tokio::test]
async fn no_way_of_dropping_drops_events() {
    let (_, client) = database("drop_ways").await;
    fill(&client, "kept").await;
    client
        .batch_execute(
            "CREATE ROLE drop_owner SUPERUSER;
             DO $$ DECLARE r record; BEGIN
                 FOR r IN SELECT objid::regclass AS name FROM pg_depend d JOIN pg_extension e ON e.oid = refobjid
                           WHERE deptype = 'e' AND extname = 'eventcore' AND classid = 'pg_class'::regclass LOOP
                     EXECUTE format('ALTER TABLE %s OWNER TO drop_owner', r.name);
                 END LOOP;
             END $$;
             ALTER SCHEMA eventcore OWNER TO drop_owner;
             UPDATE pg_extension SET extowner = 'drop_owner'::regrole WHERE extname = 'eventcore';
             UPDATE pg_shdepend SET refobjid = 'drop_owner'::regrole
              WHERE classid = 'pg_extension'::regclass AND deptype = 'o'
                AND objid = (SELECT oid FROM pg_extension WHERE extname = 'eventcore')
                AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await
        .unwrap();
    let mut wrong = Vec::new();
    for sql in DROPS {
        client.batch_execute("BEGIN").await.unwrap();
        match client
            .batch_execute(sql)
            .await
            .map_err(crate::support::Failure::from)
        {
            Ok(()) => wrong.push(format!("{sql}: it works")),
            // The server itself refuses to drop members of an extension.
            Err(failed) if failed.code == "2BP01" => {}
            Err(failed) if failed.code == "SE009" => {
                let detail = failed.assert_ours("SE009");
                let reason = if sql.contains("RENAME") {
                    "keeps_name"
                } else {
                    "holds_events"
                };
                if detail != json!({"reason": reason}) {
                    wrong.push(format!("{sql}: {detail}"));
                }
            }
            Err(failed) => wrong.push(format!("{sql}: {failed:?}")),
        }
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(stream(&client, "kept").await.len(), 2, "{sql}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_extension_without_events_is_dropped_like_any_other() {
    for (name, sql) in [
        ("drop_empty_1", "DROP EXTENSION eventcore"),
        ("drop_empty_2", "DROP EXTENSION eventcore CASCADE"),
        (
            "drop_empty_3",
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        ),
        (
            "drop_empty_4",
            "BEGIN; SELECT eventcore_append('{a}', '{0}', '{a}', '{A}', '{1}', NULL);
                          ROLLBACK; DROP EXTENSION eventcore",
        ),
    ] {
        let (_, client) = database(name).await;
        client
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let left =
            "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text = 'eventcore'";
        assert_eq!(value::<i64>(&client, left).await, 0, "{sql}");
        client
            .batch_execute("CREATE EXTENSION eventcore")
            .await
            .unwrap();
        fill(&client, "again").await;
    }
}

/// Its position and its parked events would be lost.
#[tokio::test]
async fn an_extension_with_a_subscription_is_dropped_when_that_is() {
    let (_, client) = database("drop_subscription").await;
    let create = "SELECT eventcore_create_subscription('s')";
    client.batch_execute(create).await.unwrap();
    let refused = failure(client.batch_execute("DROP EXTENSION eventcore").await);
    assert_eq!(refused.assert_ours("SE009")["reason"], "holds_events");
    assert!(refused.message.contains("subscriptions"), "{refused:?}");
    let drop = "SELECT eventcore_drop_subscription('s')";
    client.batch_execute(drop).await.unwrap();
    client
        .batch_execute("DROP EXTENSION eventcore")
        .await
        .unwrap();
}

#[tokio::test]
async fn with_allow_drop_it_is_dropped_and_positions_start_again_without_collision() {
    let (url, client) = database("drop_allowed").await;
    let other = connect(&url).await;
    for round in 0..3 {
        fill(&client, "before").await;
        fill(&other, "before").await;
        client
            .batch_execute(
                "BEGIN; SET LOCAL eventcore.allow_drop = on; DROP EXTENSION eventcore; COMMIT",
            )
            .await
            .unwrap();
        // A session that used the extension finds nothing, and gets an error of eventcore or of the
        // server.
        let gone = append(&other, &[("a", None)], json!([event("a", 1)]))
            .await
            .unwrap_err();
        assert!(["42883", "SE009"].contains(&gone.code.as_str()), "{gone:?}");
        client
            .batch_execute("CREATE EXTENSION eventcore")
            .await
            .unwrap();
        assert_eq!(
            value::<i64>(&other, "SELECT eventcore_safe_position()").await,
            0
        );
        let mut positions = Vec::new();
        for session in [&other, &client, &other] {
            let (first, last) = fill(session, "after").await;
            positions.extend([first, last]);
        }
        assert!(
            positions.is_sorted() && positions[0] < 2048,
            "{round}: {positions:?}"
        );
        let seen = read(&client, "SELECT * FROM eventcore_read_all()", &[]).await;
        let seen: Vec<i64> = seen.iter().map(|event| event.position).collect();
        assert_eq!(seen, positions);
    }
}

#[tokio::test]
async fn a_drop_that_is_rolled_back_changes_nothing() {
    let (url, client) = database("drop_rolled_back").await;
    let (_, last) = fill(&client, "kept").await;
    client
        .batch_execute(
            "BEGIN; SET LOCAL eventcore.allow_drop = on; DROP EXTENSION eventcore; CREATE EXTENSION eventcore;
             SELECT eventcore_append('{other}', '{0}', '{other}', '{A}', '{1}', NULL); ROLLBACK",
        )
        .await
        .unwrap();
    let other = connect(&url).await;
    for session in [&client, &other] {
        assert_eq!(
            value::<i64>(session, "SELECT eventcore_safe_position()").await,
            last
        );
        assert_eq!(stream(session, "kept").await.len(), 2);
    }
    let (first, _) = fill(&other, "kept").await;
    assert!(first > last, "{first}");
    assert!(fill(&client, "kept").await.0 > first);
    assert_eq!(stream(&client, "other").await, []);
}

/// Dropping other objects works as usual.
#[tokio::test]
async fn other_tables_are_dropped_as_ever() {
    let (_, client) = database("drop_others").await;
    fill(&client, "kept").await;
    client
        .batch_execute(
            "CREATE TABLE t (a int PRIMARY KEY, b serial); CREATE SCHEMA s; CREATE TABLE s.events (a int);
             CREATE TEMP TABLE events (a int); CREATE INDEX mine ON eventcore.events (event_type);
             DROP TABLE t; DROP SCHEMA s CASCADE; DROP TABLE events; DROP INDEX eventcore.mine;
             CREATE EXTENSION amcheck; DROP EXTENSION amcheck",
        )
        .await
        .unwrap();
    let failed = failure(client.batch_execute("SET eventcore.nonsense = 1").await);
    assert_eq!(failed.code, "42602");
}
