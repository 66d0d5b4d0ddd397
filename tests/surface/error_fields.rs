//! An error that passes through eventcore's functions arrives as it was raised: its SQLSTATE,
//! location and context.

use serde_json::{Value, json};
use tokio_postgres::error::DbError;

use crate::support::*;

const SETUP: &str = r#"
    CREATE SCHEMA app;
    CREATE TABLE app.seen (stream text CONSTRAINT only_once UNIQUE, amount numeric NOT NULL);
    CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO app.seen VALUES (event.stream_id, (event.payload->>'amount')::numeric); END $$;
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
    CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
        BEGIN
            INSERT INTO app.seen VALUES ('twice', 1), ('twice', 2);
        EXCEPTION WHEN unique_violation THEN
            RAISE WARNING 'caught' USING ERRCODE = 'AB123';
        END;
        IF input ? 'raise' THEN
            RAISE EXCEPTION 'no' USING ERRCODE = input->>'raise', TABLE = 'seen';
        END IF;
        RETURN jsonb_build_array(jsonb_build_object('stream', 'undeclared', 'type', 'T', 'payload', 1));
    END $$;
    CREATE FUNCTION broken(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS
        'BEGIN RETURN 1 / 0; END';
    SELECT eventcore_create_projection('see', 'see', mode => 'inline', start_from => 'now', stream_prefixes => '{i}');
    SELECT eventcore_register_command('decide', 'apply', 'decide', streams => '{/stream}');
    SELECT eventcore_register_command('broken', 'broken', 'decide', streams => '{/stream}');
    SELECT eventcore_append('{there}', '{0}', '[{"stream":"there","type":"T","payload":1}]');
"#;

async fn error_of(session: &Client, statement: &str) -> DbError {
    let error = session.batch_execute(statement).await.unwrap_err();
    error.as_db_error().unwrap().clone()
}

fn append(payload: &str) -> String {
    format!(
        r#"SELECT eventcore_append('{{i}}', '{{NULL}}', '[{{"stream":"i","type":"T","payload":{payload}}}]')"#
    )
}

#[tokio::test]
async fn an_error_of_the_server_keeps_all_its_fields() {
    let (_, session) = database("error_fields").await;
    session.batch_execute(SETUP).await.unwrap();
    let once = append(r#"{"amount":1}"#);
    session.batch_execute(&once).await.unwrap();

    let error = error_of(&session, &once).await;
    assert_eq!(error.code().code(), "23505");
    assert_eq!(error.detail(), Some("Key (stream)=(i) already exists."));
    assert_eq!(error.schema(), Some("app"));
    assert_eq!(error.table(), Some("seen"));
    assert_eq!(error.constraint(), Some("only_once"));
    let context = error.where_().unwrap();
    assert!(
        context.contains("PL/pgSQL function see(eventcore.events) line 2"),
        "{context}"
    );
    assert_eq!(
        context.matches("PL/pgSQL function see").count(),
        1,
        "{context}"
    );

    let error = error_of(&session, &append("{}")).await;
    assert_eq!(error.code().code(), "23502");
    assert_eq!(error.column(), Some("amount"));

    // Called inside a function, whose context follows.
    session
        .batch_execute(&format!(
            "CREATE FUNCTION outer_one() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM ({once}); END $$"
        ))
        .await
        .unwrap();
    let error = error_of(&session, "SELECT outer_one()").await;
    let context = error.where_().unwrap();
    let inner = context.find("PL/pgSQL function see").unwrap();
    let outer = context.find("PL/pgSQL function outer_one").unwrap();
    assert!(inner < outer, "{context}");

    let broken = r#"SELECT eventcore_execute('broken', '{"stream":"there"}')"#;
    assert_eq!(error_of(&session, broken).await.code().code(), "22012");
}

#[tokio::test]
async fn the_code_of_an_error_that_was_caught_inside_is_not_given_to_a_later_one() {
    let (_, session) = database("error_codes").await;
    session.batch_execute(SETUP).await.unwrap();
    let error = error_of(
        &session,
        r#"SELECT eventcore_execute('decide', '{"stream":"s"}')"#,
    )
    .await;
    assert_eq!(error.code().code(), "SE002");
    for code in ["P0001", "23505", "ZZ999"] {
        let execute =
            format!(r#"SELECT eventcore_execute('decide', '{{"stream":"s","raise":"{code}"}}')"#);
        let error = error_of(&session, &execute).await;
        assert_eq!(error.code().code(), "SE006");
        let detail: Value = serde_json::from_str(error.detail().unwrap()).unwrap();
        assert_eq!(detail["sqlstate"], code);
    }
    // An error that is not a decision arrives unchanged, with its fields.
    let execute = r#"SELECT eventcore_execute('decide', '{"stream":"s","raise":"40P01"}')"#;
    let error = error_of(&session, execute).await;
    assert_eq!(error.code().code(), "40P01");
    assert_eq!(error.table(), Some("seen"));
    assert!(error.where_().unwrap().contains("PL/pgSQL function decide"));
}

#[tokio::test]
async fn each_reason_that_sql_raises_has_its_message_its_detail_and_its_hint() {
    let session = session().await;
    for (call, message, detail, hint) in [
        (
            "'replicating', ARRAY['the sub', '\"the sub\"']",
            "the logical subscription \"the sub\" still brings changes of another database",
            json!({ "reason": "replicating", "subscription": "the sub" }),
            "When the other database is out of use: ALTER SUBSCRIPTION \"the sub\" DISABLE; \
             ALTER SUBSCRIPTION \"the sub\" SET (slot_name = NONE); DROP SUBSCRIPTION \"the sub\";",
        ),
        (
            "'owner_missing', ARRAY['p', 'shop']",
            "projection \"p\" belongs to the role \"shop\", which does not exist",
            json!({ "reason": "owner_missing", "projection": "p", "owner": "shop" }),
            "Create the role, or give the projection to another one with eventcore_set_projection_owner(name, owner).",
        ),
        (
            "'shadow_missing', ARRAY['s', 'p/rebuild']",
            "the schema \"s\" of \"p/rebuild\" is gone",
            json!({ "reason": "shadow_missing", "schema": "s" }),
            "Drop the rebuild and begin another.",
        ),
        (
            "'original_used', ARRAY['public.h(eventcore.events)', 'p/rebuild', 'public.t']",
            "handler public.h(eventcore.events) of \"p/rebuild\" used public.t and not its shadow: a rebuild with a \
             shadow takes a handler that names its tables without their schema",
            json!({ "reason": "original_used", "table": "public.t" }),
            "Let the handler, and what it calls, name its tables without their schema; or rebuild without a shadow.",
        ),
        (
            "'rows_left', ARRAY['public.t', 'p/rebuild', 'p']",
            "rows of public.t could not be deleted: \"p/rebuild\" cannot take the place of \"p\"",
            json!({ "reason": "rows_left", "table": "public.t" }),
            "A trigger keeps them: drop the rebuild, and rebuild without a shadow.",
        ),
    ] {
        let error = error_of(
            &session,
            &format!("SELECT eventcore.fail_unavailable({call})"),
        )
        .await;
        assert_eq!(error.code().code(), "SE009", "{call}");
        assert_eq!(error.message(), message);
        let found: Value = serde_json::from_str(error.detail().unwrap()).unwrap();
        assert_eq!(found, detail);
        assert_eq!(error.hint(), Some(hint));
    }
    for call in [
        "'rows_left', ARRAY['too few']",
        "'unknown', ARRAY['a', 'b']",
        "'rows_left', NULL",
    ] {
        let statement = format!("SELECT eventcore.fail_unavailable({call})");
        let error = error_of(&session, &statement).await;
        assert_eq!(error.code().code(), "SE003", "{call}");
    }
}
