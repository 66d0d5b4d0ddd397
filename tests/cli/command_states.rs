//! The state of a stream at a version, folded by the `apply` of a command: what the console and
//! `eventcore commands state` show.

use std::time::Duration;

use eventcore_inspect::commands::{StreamState, state};
use eventcore_inspect::connection::{Environment, Given, resolve};
use eventcore_inspect::{Error, ErrorKind, Session, SessionOptions};

use crate::support::Database;

const LONG: Duration = Duration::from_secs(60);

async fn open(database: &Database) -> Session {
    let given = Given {
        url: Some(database.url.clone()),
        ..Given::default()
    };
    let target = resolve(&given, &Environment::of_process()).unwrap();
    let options = SessionOptions::read_write("test");
    Session::open(&target, &options).await.unwrap()
}

async fn at(session: &Session, command: &str, version: i64) -> StreamState {
    let found = state(session, command, "a", Some(version), LONG).await;
    found.unwrap()
}

#[track_caller]
fn refused(result: Result<StreamState, Error>, kind: ErrorKind, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

/// 250 events, and two commands that add up their payloads and list the versions: one event after
/// the other, and several at once. Their functions use a table of names that only the registered
/// `search_path` finds, and write numbers that JSON in a program would round.
fn with_commands(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "CREATE SCHEMA \"Odd schema\";
         SET search_path = \"Odd schema\", public;
         CREATE FUNCTION one() RETURNS numeric LANGUAGE sql AS 'SELECT 1.00000000000000000000000000001';
         CREATE FUNCTION \"Add one\"(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
         BEGIN
            RETURN jsonb_build_object('sum', (state->>'sum')::numeric + one() * (event.payload)::numeric, 'last', event.version);
         END $$;
         CREATE FUNCTION \"Add all\"(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE plpgsql AS $$
         DECLARE event eventcore.events;
         BEGIN
            IF cardinality(events) NOT BETWEEN 1 AND 100 THEN RAISE 'a page of %', cardinality(events); END IF;
            FOREACH event IN ARRAY events LOOP state := \"Add one\"(state, event); END LOOP;
            RETURN state;
         END $$;
         CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         SELECT eventcore_register_command('one', '\"Add one\"', 'decide', '{/stream}', initial_state => '{\"sum\": 0}');
         SELECT eventcore_register_command('all', '\"Add all\"', 'decide', '{/stream}', initial_state => '{\"sum\": 0}');
         SELECT FROM eventcore_append(ARRAY['a'], ARRAY[0]::bigint[],
            (SELECT jsonb_agg(jsonb_build_object('stream', 'a', 'type', 'T', 'payload', n)) FROM generate_series(1, 250) n))",
    );
    database
}

#[tokio::test]
async fn a_stream_is_folded_up_to_any_version_by_either_form_of_apply() {
    let database = with_commands("cli_state");
    let session = open(&database).await;
    for command in ["one", "all"] {
        let initial = at(&session, command, 0).await;
        assert_eq!((initial.version, initial.state.get()), (0, "{\"sum\": 0}"));
        assert!(initial.is_complete);
        for version in [1, 2, 99, 100, 101, 200, 249, 250] {
            let found = at(&session, command, version).await;
            assert_eq!((found.version, found.events), (version, version));
            assert!(found.is_complete);
            let sum = version * (version + 1) / 2;
            let expected = format!("{{\"sum\": {sum}.{sum:029}, \"last\": {version}}}");
            assert_eq!(found.state.get(), expected, "{command}");
        }
        let beyond = at(&session, command, 1000).await;
        assert_eq!((beyond.version, beyond.is_complete), (250, true));
        let newest = state(&session, command, "a", None, LONG).await.unwrap();
        assert_eq!(newest.state.get(), beyond.state.get());
        let other = state(&session, command, "b", None, LONG).await.unwrap();
        assert_eq!((other.version, other.events), (0, 0));
        let stopped = state(&session, command, "a", None, Duration::ZERO).await;
        assert!(!stopped.unwrap().is_complete);
    }
    let none = state(&session, "none", "a", None, LONG).await;
    refused(none, ErrorKind::NotFound, "no command named \"none\"");
    let negative = state(&session, "one", "a", Some(-1), LONG).await;
    refused(negative, ErrorKind::Malformed, "0 or higher");
}

#[tokio::test]
async fn what_apply_does_wrong_is_told_and_the_session_goes_on() {
    let database = with_commands("cli_state_wrong");
    database.sql(
        "CREATE TABLE seen (n bigint);
         CREATE FUNCTION apply_nothing(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql
             AS $$ SELECT CASE WHEN event.version < 120 THEN state END $$;
         CREATE FUNCTION apply_write(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql
             AS $$ BEGIN INSERT INTO seen VALUES (1); RETURN state; END $$;
         CREATE FUNCTION apply_moved(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
         CREATE FUNCTION public.decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         SELECT eventcore_register_command(n, 'apply_' || n, 'decide', '{/stream}') FROM unnest('{nothing,write,moved}'::text[]) n;
         CREATE ROLE cli_state_thief;
         ALTER FUNCTION apply_moved(jsonb, eventcore.events) OWNER TO cli_state_thief",
    );
    let session = open(&database).await;
    let null = state(&session, "nothing", "a", None, LONG).await;
    refused(
        null,
        ErrorKind::Failed,
        "returns NULL, at version 120 of the stream \"a\"",
    );
    let write = state(&session, "write", "a", None, LONG).await.unwrap_err();
    assert_eq!(write.sqlstate(), Some("25006"), "{write}");
    let moved = state(&session, "moved", "a", None, LONG).await;
    refused(moved, ErrorKind::NotFound, "belongs to another role");
    assert_eq!(at(&session, "one", 3).await.version, 3);
    assert_eq!(database.sql("SELECT count(*) FROM seen").trim(), "0");
    database.sql("DROP FUNCTION apply_moved; DROP ROLE cli_state_thief");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_and_no_setting_behind() {
    let database = with_commands("cli_state_left");
    database.sql(
        "CREATE FUNCTION apply_slow(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql
             AS 'SELECT state FROM pg_sleep(0.05)';
         CREATE FUNCTION public.decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         SELECT eventcore_register_command('slow', 'apply_slow', 'decide', '{/stream}')",
    );
    let session = open(&database).await;
    let folding = state(&session, "slow", "a", None, LONG);
    let left = tokio::time::timeout(Duration::from_millis(200), folding).await;
    assert!(left.is_err(), "{left:?}");
    let sql = "SELECT current_setting('transaction_read_only') || current_setting('search_path')";
    let row = session.client().query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "offpg_catalog, public, pg_temp");
}

/// What `commands::state` applies is what `eventcore_execute` applies.
#[test]
fn the_settings_that_are_applied_are_those_of_the_extension() {
    let source = include_str!("../../inspect/src/commands/state.rs");
    let (_, list) = source.split_once("split_part(s, '=', 1) IN (").unwrap();
    let (list, _) = list.split_once(')').unwrap();
    let mut ours: Vec<&str> = list.split('\'').skip(1).step_by(2).collect();
    let database = Database::new("cli_state_settings");
    let theirs =
        database.sql("SELECT split_part(s, '=', 1) FROM unnest(eventcore.session_settings()) s");
    let mut theirs: Vec<&str> = theirs.lines().collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}
