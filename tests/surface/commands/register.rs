//! `eventcore_register_command` and `eventcore_drop_command`: what is checked, kept, replaced and dropped.

use serde_json::json;

use super::{bank, deposit, execute};
use crate::support::{failure, value};

#[tokio::test]
async fn a_command_is_listed_as_it_was_registered() {
    let (_, client) = bank("register").await;
    let sql = "SELECT to_jsonb(c) - 'changed_at' - 'settings' FROM eventcore.commands c";
    let expected = json!({
        "name": "transfer",
        "apply": "public.apply(pg_catalog.jsonb,eventcore.events)",
        "handle": "public.transfer(pg_catalog.jsonb,pg_catalog.jsonb)",
        "related_streams": null,
        "streams_function": null,
        "streams": ["/from", "/to"],
        "checked_streams": null,
        "required_fields": null,
        "initial_state": {},
        "max_attempts": 10,
        "combine": null,
        "snapshot_every": 100,
        "function_owners": ["postgres"],
    });
    assert_eq!(value::<serde_json::Value>(&client, sql).await, expected);
}

#[tokio::test]
async fn a_command_is_replaced_only_when_asked_to_and_dropped_once() {
    let (_, client) = bank("register_replace").await;
    let register =
        "SELECT eventcore_register_command('transfer', 'apply', 'transfer', streams => '{/from}'";
    let again = failure(client.batch_execute(&format!("{register})")).await);
    assert_eq!(again.assert_ours("SE003")["argument"], "name");
    client
        .batch_execute(&format!("{register}, replace => true)"))
        .await
        .unwrap();
    let input = json!({"from": "a", "to": "b", "cents": 1});
    let one_stream = execute(&client, "transfer", input.clone())
        .await
        .unwrap_err();
    one_stream.assert_ours("SE002");
    let drop = "SELECT eventcore_drop_command('transfer')";
    assert!(value::<bool>(&client, drop).await);
    assert!(!value::<bool>(&client, drop).await);
    let unknown = execute(&client, "transfer", input).await.unwrap_err();
    assert_eq!(unknown.assert_ours("SE007"), json!({"command": "transfer"}));
}

#[tokio::test]
async fn a_function_may_be_replaced_and_one_that_is_gone_or_another_is_named() {
    let (_, client) = bank("register_functions").await;
    let input = || json!({"from": "a", "to": "b", "cents": 1});
    execute(&client, "transfer", input()).await.unwrap();
    let nothing =
        "CREATE OR REPLACE FUNCTION transfer(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql
                   AS $$ SELECT NULL::jsonb $$";
    client.batch_execute(nothing).await.unwrap();
    assert_eq!(
        execute(&client, "transfer", input())
            .await
            .unwrap()
            .positions,
        None
    );
    for sql in [
        "DROP FUNCTION transfer(jsonb, jsonb)",
        "CREATE FUNCTION transfer(jsonb, jsonb) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
    ] {
        client.batch_execute(sql).await.unwrap();
        let gone = execute(&client, "transfer", input()).await.unwrap_err();
        let detail = gone.assert_ours("SE007");
        assert_eq!(
            detail["function"],
            "public.transfer(pg_catalog.jsonb,pg_catalog.jsonb)"
        );
    }
    client
        .batch_execute("DROP FUNCTION transfer(jsonb, jsonb)")
        .await
        .unwrap();
    client.batch_execute(nothing).await.unwrap();
    execute(&client, "transfer", input()).await.unwrap();
}

#[tokio::test]
async fn functions_that_do_not_fit_and_other_bad_arguments_are_named() {
    let (_, client) = bank("register_bad").await;
    client
        .batch_execute(
            "CREATE FUNCTION one(jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION texts(jsonb) RETURNS text[] LANGUAGE sql AS 'SELECT NULL::text[]';
             CREATE FUNCTION many(jsonb, jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION texting(jsonb, jsonb) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        )
        .await
        .unwrap();
    let good = "'n', 'apply', 'transfer', streams => '{/a}'";
    for (arguments, argument) in [
        ("NULL, 'apply', 'transfer', streams => '{/a}'", "name"),
        ("'', 'apply', 'transfer', streams => '{/a}'", "name"),
        ("'n', NULL, 'transfer', streams => '{/a}'", "apply"),
        ("'n', 'transfer', 'transfer', streams => '{/a}'", "apply"),
        ("'n', 'apply', NULL, streams => '{/a}'", "handle"),
        ("'n', 'apply', 'one', streams => '{/a}'", "handle"),
        ("'n', 'apply', 'many', streams => '{/a}'", "handle"),
        ("'n', 'apply', 'texting', streams => '{/a}'", "handle"),
        ("'n', 'apply', 'transfer'", "streams"),
        ("'n', 'apply', 'transfer', streams => '{}'", "streams"),
        ("'n', 'apply', 'transfer', streams => '{a}'", "streams"),
        ("'n', 'apply', 'transfer', streams => '{/a,/~2}'", "streams"),
        (
            "'n', 'apply', 'transfer', streams => '{/a,NULL}'",
            "streams",
        ),
        (
            "'n', 'apply', 'transfer', streams => '{{/a},{/b}}'",
            "streams",
        ),
        (
            "'n', 'apply', 'transfer', checked_streams => '{x}'",
            "checked_streams",
        ),
        (
            "'n', 'apply', 'transfer', streams_function => 'one'",
            "streams_function",
        ),
        (
            "'n', 'apply', 'transfer', streams => '{/a}', streams_function => 'texts'",
            "streams_function",
        ),
        (
            "'n', 'apply', 'transfer', streams => '{/a}', related_streams => 'texts'",
            "related_streams",
        ),
        (&format!("{good}, initial_state => NULL"), "initial_state"),
        (&format!("{good}, max_attempts => 0"), "max_attempts"),
        (&format!("{good}, max_attempts => NULL"), "max_attempts"),
        (
            &format!("{good}, required_fields => '[]'"),
            "required_fields",
        ),
        (
            &format!("{good}, required_fields => '{{\"a\": \"string\"}}'"),
            "required_fields",
        ),
        (
            &format!("{good}, required_fields => '{{\"/a\": \"text\"}}'"),
            "required_fields",
        ),
    ] {
        let sql = format!("SELECT eventcore_register_command({arguments})");
        let detail = failure(client.batch_execute(&sql).await).assert_ours("SE003");
        assert_eq!(detail["argument"], argument, "{arguments}: {detail}");
    }
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.commands").await,
        1
    );
}

#[tokio::test]
async fn a_function_that_names_the_streams_takes_the_place_of_pointers() {
    let (_, client) = bank("register_streams").await;
    client
        .batch_execute(
            "CREATE FUNCTION named(input jsonb) RETURNS text[] LANGUAGE sql AS
                 $$ SELECT ARRAY[input->>'from', input->>'to'] $$;
             SELECT eventcore_register_command('named', 'apply', 'transfer', streams_function => 'named')",
        )
        .await
        .unwrap();
    let input = json!({"from": "a", "to": "b", "cents": 1});
    let done = execute(&client, "named", input).await.unwrap();
    assert_eq!(done.streams, ["a", "b"]);
    let none = execute(&client, "named", json!({"to": "b"}))
        .await
        .unwrap_err();
    assert_eq!(
        none.assert_ours("SE003")["argument"],
        "result of streams_function"
    );
}

/// A role that may write the table of commands may name a function there that
/// `eventcore_register_command` would refuse. A function is never called with arguments that it
/// does not take.
#[tokio::test]
async fn a_function_that_the_table_names_and_that_does_not_fit_is_not_called() {
    let (_, client) = bank("register_forged").await;
    client
        .batch_execute(
            "CREATE FUNCTION of_numbers(bigint, bigint) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb($1 + $2) $$;
             CREATE FUNCTION of_three(jsonb, jsonb, text) RETURNS jsonb LANGUAGE sql AS $$ SELECT to_jsonb($3) $$;
             CREATE FUNCTION of_one(jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT $1 $$;
             CREATE FUNCTION of_many(jsonb, jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$ SELECT $1 $$;
             CREATE FUNCTION next(jsonb, jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT $1 $$;
             CREATE AGGREGATE of_all(jsonb, jsonb) (SFUNC = next, STYPE = jsonb)",
        )
        .await
        .unwrap();
    deposit(&client, "a", 1).await;
    for (part, function) in [
        ("apply", "public.of_numbers(bigint,bigint)"),
        ("apply", "public.of_one(jsonb)"),
        ("handle", "pg_catalog.int8pl(bigint,bigint)"),
        ("handle", "public.of_numbers(bigint,bigint)"),
        ("handle", "public.of_three(jsonb,jsonb,text)"),
        ("handle", "public.of_many(jsonb,jsonb)"),
        ("handle", "public.of_all(jsonb,jsonb)"),
        ("related_streams", "public.of_numbers(bigint,bigint)"),
        ("streams_function", "public.of_one(jsonb)"),
    ] {
        let sql = format!(
            "BEGIN; UPDATE eventcore.commands SET {part} = '{function}' WHERE name = 'transfer'"
        );
        client.batch_execute(&sql).await.unwrap();
        let input = json!({"from": "a", "to": "b", "cents": 1});
        let refused = execute(&client, "transfer", input).await.unwrap_err();
        let detail = refused.assert_ours("SE007");
        assert_eq!(detail["function"], function, "{part}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_function_is_found_by_its_name_also_after_its_schema_was_renamed() {
    let (_, client) = bank("register_renamed").await;
    let handle = |schema: &str| {
        format!(
            r#"CREATE SCHEMA {schema};
            CREATE FUNCTION {schema}.handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$
                SELECT '[{{"stream": "s", "type": "{schema}", "payload": 1}}]'::jsonb $$"#
        )
    };
    for sql in [
        handle("one"),
        handle("two"),
        "SELECT eventcore_register_command('named', 'apply', 'one.handle', streams => '{/stream}')"
            .to_owned(),
    ] {
        client.batch_execute(&sql).await.unwrap();
    }
    execute(&client, "named", json!({"stream": "s"}))
        .await
        .unwrap();
    client
        .batch_execute("ALTER SCHEMA one RENAME TO zero; ALTER SCHEMA two RENAME TO one")
        .await
        .unwrap();
    execute(&client, "named", json!({"stream": "s"}))
        .await
        .unwrap();
    let types = "SELECT string_agg(event_type, ' ' ORDER BY version) FROM eventcore.events WHERE stream_id = 's'";
    assert_eq!(value::<String>(&client, types).await, "one two");
}
