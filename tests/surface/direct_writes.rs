//! Events are written beneath SQL. If that would bypass something on the table, appends fail;
//! everything else is maintained.

use serde_json::json;

use crate::support::{Client, append, connect, database, event, failure, value};

async fn appends(client: &Client, n: i64) -> Result<(), crate::support::Failure> {
    append(client, &[("direct", None)], json!([event("direct", n)]))
        .await
        .map(|_| ())?;
    // One row and several rows are written in different ways.
    append(
        client,
        &[("direct", None)],
        json!([event("direct", n), event("direct", n)]),
    )
    .await
    .map(|_| ())
}

/// A change to the table, and how to undo it.
const ALTERATIONS: [(&str, &str); 11] = [
    (
        "CREATE TRIGGER t BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION nothing()",
        "DROP TRIGGER t ON eventcore.events",
    ),
    (
        "CREATE TRIGGER t AFTER INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION nothing()",
        "DROP TRIGGER t ON eventcore.events",
    ),
    (
        "CREATE TRIGGER t AFTER INSERT ON eventcore.events REFERENCING NEW TABLE AS n
             FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
        "DROP TRIGGER t ON eventcore.events",
    ),
    (
        "CREATE TRIGGER t BEFORE INSERT ON eventcore.events FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
        "DROP TRIGGER t ON eventcore.events",
    ),
    (
        "ALTER TABLE eventcore.events ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE eventcore.events DISABLE ROW LEVEL SECURITY",
    ),
    (
        "ALTER TABLE eventcore.events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "ALTER TABLE eventcore.events DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
    ),
    (
        "ALTER TABLE eventcore.events ADD CONSTRAINT c CHECK (payload <> '7')",
        "ALTER TABLE eventcore.events DROP CONSTRAINT c",
    ),
    (
        "ALTER TABLE eventcore.events ADD CONSTRAINT c CHECK (payload <> '7') NOT VALID",
        "ALTER TABLE eventcore.events DROP CONSTRAINT c",
    ),
    (
        "CREATE RULE r AS ON INSERT TO eventcore.events DO INSTEAD NOTHING",
        "DROP RULE r ON eventcore.events",
    ),
    (
        "ALTER TABLE eventcore.events ADD CONSTRAINT u UNIQUE (stream_id, payload, position)
             DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE eventcore.events DROP CONSTRAINT u",
    ),
    (
        "CREATE TABLE parts (LIKE eventcore.events) PARTITION BY LIST (stream_id);
         ALTER TABLE parts ATTACH PARTITION eventcore.events FOR VALUES IN ('other')",
        "ALTER TABLE parts DETACH PARTITION eventcore.events; DROP TABLE parts",
    ),
];

/// The same for columns, which stay in the catalog after they were dropped.
const COLUMNS: [(&str, &str); 3] = [
    (
        "ALTER TABLE eventcore.events ADD COLUMN g text GENERATED ALWAYS AS (payload->>'n') STORED",
        "ALTER TABLE eventcore.events DROP COLUMN g",
    ),
    (
        "ALTER TABLE eventcore.events ADD COLUMN extra int",
        "ALTER TABLE eventcore.events DROP COLUMN extra",
    ),
    (
        "ALTER TABLE eventcore.events ADD COLUMN needed text NOT NULL DEFAULT 'x'",
        "ALTER TABLE eventcore.events DROP COLUMN needed",
    ),
];

#[tokio::test]
async fn what_an_append_would_bypass_makes_it_fail_with_se009() {
    assert_refused_until_undone("direct_obstacles", &ALTERATIONS).await;
}

/// Possible as long as every event has a value.
#[tokio::test]
async fn a_column_that_may_no_longer_be_null_is_not_filled_with_null() {
    let alteration = (
        "ALTER TABLE eventcore.events ALTER COLUMN metadata SET NOT NULL",
        "ALTER TABLE eventcore.events ALTER COLUMN metadata DROP NOT NULL",
    );
    assert_refused_until_undone("direct_not_null", &[alteration]).await;
}

#[tokio::test]
async fn columns_added_and_dropped_again_leave_appends_working() {
    assert_refused_until_undone("direct_columns", &COLUMNS).await;
}

async fn assert_refused_until_undone(name: &str, alterations: &[(&str, &str)]) {
    let (url, client) = database(name).await;
    client
        .batch_execute(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        )
        .await
        .unwrap();
    let mut wrong = Vec::new();
    for (alter, undo) in alterations {
        let other = connect(&url).await;
        if let Err(error) = other.batch_execute(alter).await {
            // The server may refuse to attach the table; then there is nothing to bypass.
            assert!(alter.contains("ATTACH"), "{alter}: {error:?}");
            continue;
        }
        match appends(&client, 7).await {
            Err(failed) if failed.code == "SE009" => {
                let detail = failed.assert_ours("SE009");
                if detail != json!({"reason": "table_altered"}) {
                    wrong.push(format!("{alter}: {detail}"));
                }
            }
            other => wrong.push(format!("{alter}: {other:?}")),
        }
        other.batch_execute(undo).await.unwrap();
        if let Err(failed) = appends(&client, 1).await {
            wrong.push(format!("after {undo}: {failed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_a_function_of_a_command_adds_to_the_table_makes_the_command_fail_with_se009() {
    let (_, client) = database("direct_command").await;
    client
        .batch_execute(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE FUNCTION apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 IF input ? 'sql' THEN
                     EXECUTE input->>'sql';
                 END IF;
                 RETURN '[{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}]';
             END $$;
             SELECT eventcore_register_command('alter', 'apply', 'handle', streams => '{/s}')",
        )
        .await
        .unwrap();
    let execute = async |sql: &str| {
        let input = json!({"s": "s", "sql": sql});
        let execute = "SELECT eventcore_execute('alter', $1)";
        failure(client.execute(execute, &[&input]).await)
    };
    let trigger = "CREATE TRIGGER t BEFORE INSERT ON eventcore.events FOR EACH ROW EXECUTE FUNCTION nothing()";
    for sql in [
        trigger,
        "CREATE RULE r AS ON INSERT TO eventcore.events DO ALSO NOTHING",
    ] {
        let detail = execute(sql).await.assert_ours("SE009");
        assert_eq!(detail, json!({"reason": "table_altered"}), "{sql}");
    }
    let failed = execute("SET TRANSACTION READ ONLY").await;
    assert_eq!(failed.code, "25006", "{failed:?}");
}

#[tokio::test]
async fn indexes_of_the_users_are_kept_up() {
    let (_, client) = database("direct_indexes").await;
    appends(&client, 1).await.unwrap();
    client
        .batch_execute(
            "CREATE EXTENSION amcheck; CREATE EXTENSION btree_gist;
             CREATE INDEX by_type ON eventcore.events (event_type);
             CREATE INDEX by_expression ON eventcore.events ((payload->>'n'), lower(stream_id));
             CREATE INDEX by_part ON eventcore.events (version) WHERE payload @> '{\"n\": 7}';
             CREATE INDEX by_gin ON eventcore.events USING gin (payload);
             CREATE INDEX by_brin ON eventcore.events USING brin (recorded_at);
             CREATE INDEX by_hash ON eventcore.events USING hash (stream_id);
             CREATE UNIQUE INDEX by_key ON eventcore.events ((payload->>'key'));
             ALTER TABLE eventcore.events ADD CONSTRAINT excluded
                 EXCLUDE USING gist ((payload->>'slot') WITH =)",
        )
        .await
        .unwrap();
    for n in 2..30 {
        appends(&client, n % 9).await.unwrap();
    }
    let events = json!([
        {"stream": "keys", "type": "K", "payload": {"key": "x", "slot": "s"}},
        {"stream": "keys", "type": "K", "payload": {"key": "y", "slot": "t"}},
    ]);
    append(&client, &[("keys", Some(0))], events).await.unwrap();
    for (payload, code) in [
        (json!({"key": "x"}), "23505"),
        (json!({"slot": "t"}), "23P01"),
    ] {
        for events in [
            json!([{"stream": "keys", "type": "K", "payload": payload}]),
            json!([event("keys", 1), {"stream": "keys", "type": "K", "payload": payload}]),
        ] {
            let failed = append(&client, &[("keys", Some(2))], events)
                .await
                .unwrap_err();
            assert_eq!(failed.code, code, "{failed:?}");
            assert!(failed.message.contains(if code == "23505" {
                "by_key"
            } else {
                "excluded"
            }));
            assert!(failed.detail.is_some(), "{failed:?}");
        }
    }
    client
        .batch_execute(
            "SELECT bt_index_parent_check(c.oid, true) FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
                 JOIN pg_am a ON a.oid = c.relam
              WHERE i.indrelid = 'eventcore.events'::regclass AND a.amname = 'btree'",
        )
        .await
        .unwrap();
    for query in [
        "event_type = 'Counted'",
        "payload->>'n' = '7' AND lower(stream_id) = 'direct'",
        "version > 0 AND payload @> '{\"n\": 7}'",
        "payload @> '{\"n\": 3}'",
        "stream_id = 'direct'",
        "payload->>'key' = 'x'",
        "recorded_at > now() - interval '1 hour'",
    ] {
        let mut counts = Vec::new();
        for setting in ["enable_seqscan", "enable_indexscan"] {
            client
                .batch_execute(&format!(
                    "RESET ALL; SET {setting} = off; SET enable_indexonlyscan = {0};
                     SET enable_bitmapscan = {0}",
                    if setting == "enable_seqscan" {
                        "on"
                    } else {
                        "off"
                    }
                ))
                .await
                .unwrap();
            let sql = format!("SELECT count(*) FROM eventcore.events WHERE {query}");
            counts.push(value::<i64>(&client, &sql).await);
        }
        assert!(
            counts[0] > 0 && counts[0] == counts[1],
            "{query}: {counts:?}"
        );
    }
}

/// An error of a function in an index belongs to the user, and leaves nothing behind.
#[tokio::test]
async fn an_error_in_an_index_expression_arrives_as_it_is() {
    let (_, client) = database("direct_error").await;
    client
        .batch_execute(
            "CREATE FUNCTION picky(p jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN IF p @> '{\"n\": 13}' THEN RAISE EXCEPTION 'no thirteen' USING ERRCODE = 'ZZ013',
                 DETAIL = 'unlucky'; END IF; RETURN p->>'n'; END $$;
             CREATE INDEX by_picky ON eventcore.events (picky(payload))",
        )
        .await
        .unwrap();
    appends(&client, 12).await.unwrap();
    let events = json!([event("direct", 14), event("direct", 13)]);
    let failed = append(&client, &[("direct", Some(3))], events)
        .await
        .unwrap_err();
    assert_eq!(failed.code, "ZZ013", "{failed:?}");
    assert_eq!(failed.detail.as_deref(), Some("unlucky"));
    appends(&client, 14).await.unwrap();
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.events").await,
        6
    );
}

#[tokio::test]
async fn a_table_or_index_that_is_not_where_it_was_is_se009() {
    let (url, client) = database("direct_renamed").await;
    appends(&client, 1).await.unwrap();
    // Without this setting, eventcore refuses these statements.
    client
        .batch_execute("SET eventcore.allow_drop = on")
        .await
        .unwrap();
    for (alter, undo) in [
        (
            "ALTER TABLE eventcore.events RENAME TO renamed",
            "ALTER TABLE eventcore.renamed RENAME TO events",
        ),
        (
            "ALTER INDEX eventcore.events_pkey RENAME TO renamed",
            "ALTER INDEX eventcore.renamed RENAME TO events_pkey",
        ),
        (
            "ALTER SCHEMA eventcore RENAME TO renamed",
            "ALTER SCHEMA renamed RENAME TO eventcore",
        ),
    ] {
        client.batch_execute(alter).await.unwrap();
        let other = connect(&url).await;
        appends(&other, 1).await.unwrap_err().assert_ours("SE009");
        failure(other.batch_execute("SELECT eventcore_read_all()").await).assert_ours("SE009");
        // A session that knows them by their OIDs may continue.
        if let Err(failed) = appends(&client, 1).await {
            failed.assert_ours("SE009");
        }
        client.batch_execute(undo).await.unwrap();
        appends(&other, 1).await.unwrap();
        appends(&client, 1).await.unwrap();
    }
}

/// These commands give tables and indexes new files or new OIDs.
#[tokio::test]
async fn maintenance_leaves_sessions_that_know_the_table_working() {
    let (url, client) = database("direct_maintenance").await;
    let admin = connect(&url).await;
    for n in 0..10 {
        appends(&client, n).await.unwrap();
    }
    let mut expected = 30;
    for maintenance in [
        "VACUUM (FULL) eventcore.events",
        "CLUSTER eventcore.events USING events_stream_id_version_key",
        "REINDEX TABLE eventcore.events",
        "REINDEX TABLE CONCURRENTLY eventcore.events",
        "REINDEX INDEX CONCURRENTLY eventcore.events_pkey",
        "VACUUM (FREEZE, ANALYZE)",
        "ALTER TABLE eventcore.events SET (fillfactor = 90)",
        "ALTER TABLE eventcore.events ALTER COLUMN payload SET COMPRESSION lz4",
        "ALTER TABLE eventcore.events ALTER COLUMN payload SET STORAGE EXTERNAL",
        "DISCARD ALL",
    ] {
        if let Err(error) = admin.batch_execute(maintenance).await {
            // The server may have been built without lz4.
            assert!(maintenance.contains("lz4"), "{maintenance}: {error:?}");
        }
        for session in [&client, &admin] {
            appends(session, 1)
                .await
                .unwrap_or_else(|failed| panic!("{maintenance}: {failed:?}"));
            expected += 3;
            let seen: i64 = value(
                session,
                "SELECT count(*) FROM eventcore_read_stream('direct')",
            )
            .await;
            assert_eq!(seen, expected, "{maintenance}");
        }
        let seen: i64 = value(&client, "SELECT count(*) FROM eventcore_read_all()").await;
        assert_eq!(seen, expected, "{maintenance}");
    }
    // While another session appends all the time.
    let writing = async {
        for n in 0..300 {
            appends(&client, n).await.unwrap();
        }
    };
    let reindexing = async {
        for _ in 0..3 {
            admin
                .batch_execute("REINDEX TABLE CONCURRENTLY eventcore.events")
                .await
                .unwrap();
        }
    };
    tokio::join!(writing, reindexing);
    let seen: i64 = value(
        &client,
        "SELECT count(*) FROM eventcore_read_stream('direct')",
    )
    .await;
    assert_eq!(seen, expected + 900);
}
