//! P8: ordinary SQL cannot change an event.

use serde_json::json;

use crate::support::{Client, append, connect, database, event, failure, value};

/// Two events, and a checksum of everything in them.
async fn fill(client: &Client) -> String {
    append(
        client,
        &[("kept", Some(0))],
        json!([event("kept", 1), event("kept", 2)]),
    )
    .await
    .unwrap();
    contents(client).await
}

async fn contents(client: &Client) -> String {
    value(
        client,
        "SELECT string_agg(e::text, ';' ORDER BY position) FROM eventcore.events e",
    )
    .await
}

const CHANGES: [&str; 13] = [
    "UPDATE eventcore.events SET payload = '1'",
    "UPDATE ONLY eventcore.events SET payload = payload WHERE false",
    "DELETE FROM eventcore.events",
    "DELETE FROM ONLY eventcore.events WHERE position = 1",
    "TRUNCATE eventcore.events",
    "TRUNCATE eventcore.events, eventcore.streams CASCADE",
    "INSERT INTO eventcore.events SELECT * FROM eventcore.events
         ON CONFLICT (position) DO UPDATE SET payload = '1'",
    "MERGE INTO eventcore.events e USING (VALUES (1)) v (a) ON true
         WHEN MATCHED THEN UPDATE SET payload = '1'",
    "MERGE INTO eventcore.events e USING (VALUES (1)) v (a) ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM eventcore.events RETURNING *) SELECT count(*) FROM gone",
    "CREATE VIEW events_view AS SELECT * FROM eventcore.events; DELETE FROM events_view",
    "CREATE TABLE heir () INHERITS (eventcore.events); DELETE FROM eventcore.events",
    "DO $$ DECLARE c CURSOR FOR SELECT * FROM eventcore.events FOR UPDATE; r record;
     BEGIN OPEN c; FETCH c INTO r; UPDATE eventcore.events SET payload = '1' WHERE CURRENT OF c; END $$",
];

#[tokio::test]
async fn update_delete_truncate_upsert_and_merge_are_refused_for_superuser_and_owner() {
    let (url, client) = database("immutable").await;
    let before = fill(&client).await;
    client
        .batch_execute(
            "CREATE ROLE immutable_owner LOGIN; GRANT ALL ON SCHEMA eventcore, public TO immutable_owner;
             ALTER TABLE eventcore.events OWNER TO immutable_owner;
             ALTER TABLE eventcore.streams OWNER TO immutable_owner",
        )
        .await
        .unwrap();
    for who in [
        "RESET ROLE",
        "SET session_replication_role = replica",
        "SET ROLE immutable_owner",
    ] {
        let session = connect(&url).await;
        session.batch_execute(who).await.unwrap();
        for change in CHANGES {
            let failed = failure(session.batch_execute(change).await);
            let detail = failed.assert_ours("SE009");
            // A child table, through which a DELETE on its parent would work, is refused itself.
            let reason = if change.contains("INHERITS") {
                "inherits"
            } else {
                "immutable"
            };
            assert_eq!(detail, json!({"reason": reason}), "{who}: {change}");
            session.batch_execute("ROLLBACK").await.unwrap();
            assert_eq!(contents(&client).await, before, "{who}: {change}");
        }
    }
}

/// Statement triggers fire only for the table that the statement names.
#[tokio::test]
async fn a_parent_table_is_no_way_round() {
    let (_, client) = database("immutable_parent").await;
    let before = fill(&client).await;
    let mut wrong = Vec::new();
    for (setup, changes) in [
        (
            "CREATE TABLE parent (LIKE eventcore.events); ALTER TABLE eventcore.events INHERIT parent",
            [
                "UPDATE parent SET payload = '1'",
                "DELETE FROM parent",
                "TRUNCATE parent",
            ],
        ),
        (
            "CREATE TABLE parts (LIKE eventcore.events) PARTITION BY RANGE (position);
             ALTER TABLE parts ATTACH PARTITION eventcore.events DEFAULT",
            [
                "UPDATE parts SET payload = '1'",
                "DELETE FROM parts",
                "TRUNCATE parts",
            ],
        ),
    ] {
        for change in changes {
            client.batch_execute("BEGIN").await.unwrap();
            // If the server refuses to make it a child, all is well.
            if client.batch_execute(setup).await.is_ok()
                && client.batch_execute(change).await.is_ok()
            {
                wrong.push(change);
            }
            client.batch_execute("ROLLBACK").await.unwrap();
        }
    }
    assert!(wrong.is_empty(), "these work: {wrong:#?}");
    assert_eq!(contents(&client).await, before);
}

#[tokio::test]
async fn a_foreign_key_that_cascades_is_no_way_round() {
    let (_, client) = database("immutable_cascade").await;
    let before = fill(&client).await;
    client
        .batch_execute(
            "CREATE TABLE names (name text COLLATE \"C\" PRIMARY KEY); INSERT INTO names VALUES ('kept');
             ALTER TABLE eventcore.events ADD FOREIGN KEY (stream_id) REFERENCES names
                 ON DELETE CASCADE ON UPDATE CASCADE",
        )
        .await
        .unwrap();
    for change in ["DELETE FROM names", "UPDATE names SET name = 'other'"] {
        failure(client.batch_execute(change).await).assert_ours("SE009");
    }
    assert_eq!(contents(&client).await, before);
    // Appends do not bypass the foreign key.
    let failed = append(&client, &[("kept", None)], json!([event("kept", 3)]))
        .await
        .unwrap_err();
    assert_eq!(
        failed.assert_ours("SE009"),
        json!({"reason": "table_altered"})
    );
}
