//! A role that executes a command, or appends where an inline projection runs, is bound by the
//! functions: no setting and no object of its session turns a rule off.

use crate::support::{
    Client, Failure, append, connect, database, event, failure, session_as, value,
};
use serde_json::{Value, json};

/// A withdrawal is refused if the account, in a table of the application, has too little money, and
/// after a certain date.
const RULES: &str = "
    CREATE SCHEMA app;
    SET search_path = app, public;
    SET TimeZone = 'UTC';
    CREATE TABLE app.accounts (name text PRIMARY KEY, cents bigint NOT NULL);
    INSERT INTO app.accounts VALUES ('a', 10);
    CREATE FUNCTION app.apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION app.handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE has bigint;
    BEGIN
        SELECT cents INTO has FROM accounts WHERE name = 'a';
        IF has < (input->>'cents')::bigint THEN
            RAISE EXCEPTION 'too little' USING ERRCODE = 'ZZ001';
        END IF;
        ASSERT (input->>'cents')::bigint <> 7, 'not seven';
        IF to_char('2026-01-01 12:00+00'::timestamptz, 'HH24') <> '12' OR '01/02/2026'::date <> '2026-01-02'
           OR quote_ident('plain') <> 'plain' THEN
            RAISE EXCEPTION 'another form' USING ERRCODE = 'ZZ002';
        END IF;
        RETURN jsonb_build_array(jsonb_build_object('stream', 'a', 'type', 'Withdrawn', 'payload', input->'cents'));
    END $$;
    SELECT eventcore_register_command('withdraw', 'app.apply', 'app.handle', streams => '{/s}');";

/// What an executor tries, each attempt in a session of its own.
const TRICKS: &[&str] = &[
    "CREATE FUNCTION mine.less(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
     CREATE OPERATOR mine.< (FUNCTION = mine.less, LEFTARG = bigint, RIGHTARG = bigint);
     SET search_path = mine, pg_catalog, app, public",
    "CREATE TABLE mine.accounts (name text, cents bigint); INSERT INTO mine.accounts VALUES ('a', 1000000);
     SET search_path = mine, app, public",
    "CREATE TEMPORARY TABLE accounts (name text, cents bigint); INSERT INTO accounts VALUES ('a', 1000000);
     SET search_path = pg_temp, app, public",
    "SET plpgsql.check_asserts = off",
    "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'DMY'; SET transform_null_equals = on; SET extra_float_digits = -10",
    "SET quote_all_identifiers = on; SET xmlbinary = hex",
];

async fn withdraw(client: &Client, cents: i64) -> Result<(), Failure> {
    let input = json!({"s": "a", "cents": cents}).to_string();
    client
        .batch_execute(&format!(
            "SELECT * FROM public.eventcore_execute('withdraw', '{input}')"
        ))
        .await
        .map_err(Failure::from)
}

#[tokio::test]
async fn an_executor_turns_no_rule_of_a_command_off() {
    let (_, client) = database("doors_bound").await;
    client.batch_execute(RULES).await.unwrap();
    client
        .batch_execute(
            "CREATE ROLE doors_executor LOGIN IN ROLE eventcore_executor;
             GRANT USAGE ON SCHEMA app TO doors_executor; GRANT SELECT ON app.accounts TO doors_executor;
             GRANT TEMPORARY ON DATABASE doors_bound TO doors_executor;
             CREATE SCHEMA mine AUTHORIZATION doors_executor",
        )
        .await
        .unwrap();
    for trick in TRICKS {
        let session = session_as("doors_bound", "doors_executor").await;
        // The settings of PL/pgSQL exist only once it is loaded.
        session.batch_execute("DO 'BEGIN END'").await.unwrap();
        session.batch_execute(trick).await.unwrap();
        let settings = "SELECT coalesce(string_agg(name || setting, ',' ORDER BY name), '') FROM pg_catalog.pg_settings WHERE source = 'session'";
        let before = value::<String>(&session, settings).await;
        for (cents, code) in [(11, "ZZ001"), (1_000_000, "ZZ001"), (7, "P0004")] {
            let failed = withdraw(&session, cents).await.unwrap_err();
            assert_eq!(
                failed.assert_ours("SE006")["sqlstate"],
                code,
                "{trick}: {cents}"
            );
            assert_eq!(value::<String>(&session, settings).await, before, "{trick}");
        }
        withdraw(&session, 1)
            .await
            .unwrap_or_else(|error| panic!("{trick}: {error:?}"));
        assert_eq!(value::<String>(&session, settings).await, before, "{trick}");
        // Inside a transaction, and after a caught error.
        session
            .batch_execute(
                "BEGIN; DO $$ BEGIN PERFORM public.eventcore_execute('withdraw', '{\"s\": \"a\", \"cents\": 11}');
                 EXCEPTION WHEN SQLSTATE 'SE006' THEN NULL; END $$",
            )
            .await
            .unwrap();
        assert_eq!(value::<String>(&session, settings).await, before, "{trick}");
        session.batch_execute("ROLLBACK").await.unwrap();
    }
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.events").await,
        TRICKS.len() as i64
    );
}

#[tokio::test]
async fn each_command_keeps_its_settings_while_those_of_a_session_change() {
    let (_, client) = database("doors_bound_changes").await;
    client
        .batch_execute(
            "CREATE FUNCTION apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION tell(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$
                 SELECT jsonb_build_array(jsonb_build_object('stream', input->'s', 'type', 'Told', 'payload',
                     (SELECT jsonb_object_agg(n, current_setting(n)) FROM unnest('{search_path,TimeZone,DateStyle,
                          timezone_abbreviations,plpgsql.check_asserts,extra_float_digits}'::text[]) n))) $$;
             -- Settings of PL/pgSQL are there once it is.
             DO 'BEGIN END';
             SET TimeZone = 'Asia/Tokyo';
             SELECT eventcore_register_command('tokyo', 'apply', 'tell', streams => '{/s}');
             SET TimeZone = 'Europe/Oslo'; SET extra_float_digits = 0;
             SELECT eventcore_register_command('oslo', 'apply', 'tell', streams => '{/s}')",
        )
        .await
        .unwrap();
    for change in [
        "RESET ALL",
        "SET TimeZone = 'Asia/Tokyo'",
        "SET search_path = public, pg_temp",
        "SET timezone_abbreviations = 'Australia'",
        "SET TimeZone = 'Europe/Oslo'",
        "SET plpgsql.check_asserts = off",
        "SET DateStyle = 'DMY'",
        "SET extra_float_digits = 0",
        "SET search_path = pg_temp, public",
        "RESET ALL",
    ] {
        let executed = client
            .batch_execute(&format!(
                "{change};
                 SELECT eventcore_execute('tokyo', '{{\"s\": \"tokyo\"}}');
                 SELECT eventcore_execute('oslo', '{{\"s\": \"oslo\"}}');
                 SELECT eventcore_execute('tokyo', '{{\"s\": \"tokyo\"}}')"
            ))
            .await;
        executed.unwrap_or_else(|error| panic!("{change}: {error:?}"));
    }
    let told = "SELECT jsonb_object_agg(stream_id, payloads) FROM (
                    SELECT stream_id, jsonb_agg(DISTINCT payload) AS payloads FROM eventcore.events GROUP BY 1) t";
    let settings = |time_zone, digits| {
        json!([{"search_path": "public, pg_temp", "TimeZone": time_zone, "DateStyle": "ISO, MDY",
                "timezone_abbreviations": "Default", "plpgsql.check_asserts": "on", "extra_float_digits": digits}])
    };
    assert_eq!(
        value::<Value>(&client, told).await,
        json!({"tokyo": settings("Asia/Tokyo", "1"), "oslo": settings("Europe/Oslo", "0")})
    );
}

#[tokio::test]
async fn what_a_function_sets_for_itself_goes_before_and_settings_can_be_given() {
    let (_, client) = database("doors_bound_own").await;
    client.batch_execute(RULES).await.unwrap();
    client
        .batch_execute(
            "CREATE SCHEMA other; CREATE TABLE other.accounts AS SELECT 'a' AS name, 100::bigint AS cents;
             ALTER FUNCTION app.handle(jsonb, jsonb) SET search_path = other, pg_temp",
        )
        .await
        .unwrap();
    withdraw(&client, 100).await.unwrap();
    client
        .batch_execute(
            "ALTER FUNCTION app.handle(jsonb, jsonb) RESET search_path;
             SELECT public.eventcore_register_command('withdraw', 'app.apply', 'app.handle', streams => '{/s}', replace => true,
                 settings => '{\"search_path=other, pg_temp\", TimeZone=UTC, \"DateStyle=ISO, MDY\"}')",
        )
        .await
        .unwrap();
    withdraw(&client, 99).await.unwrap();
    for settings in [
        "{}",
        "{TimeZone=UTC}",
        "{search_path=app, work_mem=1}",
        "{search_path}",
        "{NULL}",
        "{search_path=app, lc_monetary=nowhere}",
        "{search_path=app, TimeZone=Mars/Base}",
        "{search_path=app, default_text_search_config=app.none}",
    ] {
        let failed = failure(
            client
                .batch_execute(&format!(
                    "SELECT public.eventcore_register_command('x', 'app.apply', 'app.handle', streams => '{{/s}}', settings => '{settings}')"
                ))
                .await,
        );
        assert_eq!(
            failed.assert_ours("SE003")["argument"],
            "settings",
            "{settings}"
        );
    }
}

/// As after a restore on a server that lacks that locale.
#[tokio::test]
async fn a_setting_that_the_server_refuses_is_named_with_the_command_or_the_projection() {
    let (_, client) = database("doors_refused").await;
    client.batch_execute(RULES).await.unwrap();
    client
        .batch_execute(
            "CREATE FUNCTION app.see(e eventcore.events) RETURNS void LANGUAGE sql AS '';
             SELECT public.eventcore_create_projection('see', 'app.see', mode => 'inline', start_from => 'now');
             UPDATE eventcore.commands SET settings = settings || '{lc_monetary=nowhere}'",
        )
        .await
        .unwrap();
    let failed = withdraw(&client, 1).await.unwrap_err();
    assert_eq!(failed.assert_ours("SE009")["reason"], "setting_refused");
    assert!(
        failed.message.contains("\"withdraw\"") && failed.message.contains("lc_monetary"),
        "{failed:?}"
    );
    client
        .batch_execute(
            "UPDATE eventcore.projections SET settings = settings || '{lc_monetary=nowhere}'",
        )
        .await
        .unwrap();
    let failed = append(&client, &[("w", Some(0))], json!([event("w", 1)]))
        .await
        .unwrap_err();
    assert_eq!(failed.assert_ours("SE009")["reason"], "setting_refused");
    assert!(failed.message.contains("\"see\""), "{failed:?}");
}

/// Only superusers may change `plpgsql.variable_conflict`, so no executor turns a rule off with it.
#[tokio::test]
async fn a_setting_of_superusers_at_the_registration_stops_no_executor() {
    let (_, client) = database("doors_superuser").await;
    client
        .batch_execute("DO 'BEGIN END'; SET plpgsql.variable_conflict = use_column")
        .await
        .unwrap();
    client.batch_execute(RULES).await.unwrap();
    client
        .batch_execute(
            "CREATE ROLE doors_superuser_executor LOGIN IN ROLE eventcore_executor;
             GRANT USAGE ON SCHEMA app TO doors_superuser_executor;
             GRANT SELECT ON app.accounts TO doors_superuser_executor",
        )
        .await
        .unwrap();
    let session = session_as("doors_superuser", "doors_superuser_executor").await;
    withdraw(&session, 1).await.unwrap();
}

#[tokio::test]
async fn a_command_has_no_more_streams_than_an_append() {
    let (_, client) = database("doors_many_streams").await;
    client
        .batch_execute(
            "CREATE FUNCTION apply(state jsonb, e eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '[]'::jsonb $$;
             SELECT eventcore_register_command('many', 'apply', 'handle', streams => '{/s}')",
        )
        .await
        .unwrap();
    let execute = |count: u32| {
        format!(
            "SELECT * FROM eventcore_execute('many', jsonb_build_object('s',
                 (SELECT jsonb_agg('s' || n) FROM generate_series(1, {count}) n)))"
        )
    };
    client.batch_execute(&execute(1_000)).await.unwrap();
    let failed = failure(client.batch_execute(&execute(1_001)).await);
    assert_eq!(failed.assert_ours("SE003")["argument"], "input");
}

#[tokio::test]
async fn a_writer_does_not_choose_what_an_inline_handler_writes() {
    let (url, client) = database("doors_inline").await;
    client
        .batch_execute(
            "CREATE SCHEMA app; SET search_path = app, public;
             CREATE TABLE app.seen (n bigint);
             CREATE FUNCTION app.see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO seen VALUES (e.position); ASSERT e.event_type <> 'Bad'; END $$;
             SELECT eventcore_create_projection('see', 'app.see', mode => 'inline', start_from => 'now');
             CREATE ROLE doors_writer LOGIN IN ROLE eventcore_writer;
             GRANT USAGE ON SCHEMA app TO doors_writer; GRANT INSERT ON app.seen TO doors_writer;
             GRANT TEMPORARY ON DATABASE doors_inline TO doors_writer",
        )
        .await
        .unwrap();
    let writer = session_as("doors_inline", "doors_writer").await;
    writer
        .batch_execute("CREATE TEMPORARY TABLE seen (n bigint); SET plpgsql.check_asserts = off; SET search_path = public")
        .await
        .unwrap();
    append(&writer, &[("w", Some(0))], json!([event("w", 1)]))
        .await
        .unwrap();
    assert_eq!(
        value::<i64>(&connect(&url).await, "SELECT count(*) FROM app.seen").await,
        1
    );
    let bad = json!([{"stream": "w", "type": "Bad", "payload": 1}]);
    assert_eq!(
        append(&writer, &[("w", Some(1))], bad)
            .await
            .unwrap_err()
            .code,
        "P0004"
    );
}
