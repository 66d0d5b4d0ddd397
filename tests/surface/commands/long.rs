//! Long streams: their states are saved, so that a command folds only the events since then.
//!
//! The test counts the folded events: `apply` draws a number from the sequence `calls`.

mod beside;
mod forged;
mod replaced;
pub(super) mod same;
mod short;

use serde_json::{Value, json};

use super::{Executed, execute};
use crate::support::{Client, connect, database, failure, session_as, stream, value};

/// An `apply` that counts the events, and whose state differs for every order of events, in both
/// forms; a `handle` that writes the state to the streams `/to`; a `combine` in both forms. The form
/// of `apply` for several events records its calls.
pub(super) const CHAIN: &str = "
    CREATE SEQUENCE calls;
    SELECT nextval('calls');
    GRANT USAGE ON calls TO PUBLIC;
    CREATE FUNCTION chain(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval('public.calls');
        RETURN to_jsonb(md5(concat(state, event.stream_id, event.version, event.payload)));
    END $$;
    CREATE TABLE pages (number serial PRIMARY KEY, stream text, first bigint, last bigint, events bigint);
    CREATE FUNCTION chain_events(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        event eventcore.events;
    BEGIN
        INSERT INTO public.pages (stream, first, last, events)
            VALUES (events[1].stream_id, events[1].version, events[cardinality(events)].version, cardinality(events));
        FOREACH event IN ARRAY events LOOP
            PERFORM nextval('public.calls');
            state := to_jsonb(md5(concat(state, event.stream_id, event.version, event.payload)));
        END LOOP;
        RETURN state;
    END $$;
    CREATE FUNCTION link(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        IF input ? 'reject' THEN
            RAISE EXCEPTION 'rejected';
        END IF;
        RETURN (SELECT jsonb_agg(jsonb_build_object('stream', value, 'type', 'Linked', 'payload', state))
                  FROM jsonb_array_elements(input->'to'));
    END $$;
    CREATE FUNCTION mix(state jsonb, other jsonb) RETURNS jsonb LANGUAGE sql AS
        $$ SELECT to_jsonb(md5(concat(state, ' and ', other))) $$;
    CREATE FUNCTION mix_states(states jsonb[]) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        mixed jsonb := states[1];
    BEGIN
        FOR place IN 2 .. cardinality(states) LOOP
            mixed := mix(mixed, states[place]);
        END LOOP;
        RETURN mixed;
    END $$;";

/// A database with the command `chain`; `more` are named arguments of its registration.
pub(super) async fn chain(name: &str, more: &str) -> (String, Client) {
    let (url, client) = database(name).await;
    client.batch_execute(CHAIN).await.unwrap();
    register(&client, more).await;
    (url, client)
}

pub(super) async fn register(client: &Client, more: &str) {
    register_with(client, "chain", more).await;
}

/// With the form of `apply` that this function has.
pub(super) async fn register_with(client: &Client, apply: &str, more: &str) {
    let sql = format!(
        "SELECT eventcore_register_command('chain', '{apply}', 'link', streams => '{{/streams}}',
             checked_streams => '{{/checked}}', initial_state => '\"\"', replace => true{more})"
    );
    client.batch_execute(&sql).await.unwrap();
}

/// Executes `chain` on these streams, writes to the last of them, and counts the calls of `apply`.
pub(super) async fn link(client: &Client, streams: &[&str]) -> (Executed, i64) {
    let input = json!({"streams": streams, "checked": [], "to": [streams.last()]});
    let before = calls(client).await;
    let done = execute(client, "chain", input).await.unwrap();
    (done, calls(client).await - before)
}

/// The same, without the result.
pub(super) async fn folded(client: &Client, streams: &[&str]) -> i64 {
    link(client, streams).await.1
}

async fn calls(client: &Client) -> i64 {
    value(client, "SELECT last_value FROM calls").await
}

pub(super) async fn fill(client: &Client, stream: &str, events: i64) {
    let sql = "SELECT eventcore_append(ARRAY[$1::text], '{NULL}', array_agg($1::text), array_agg('Filled'::text),
                   array_agg(to_jsonb(n)), NULL) FROM generate_series(1, $2::bigint) n";
    client.execute(sql, &[&stream, &events]).await.unwrap();
}

/// The saved states, and the version of each.
pub(super) async fn kept(client: &Client) -> Vec<(String, i64)> {
    let sql =
        "SELECT stream_id, last_version FROM eventcore.command_states ORDER BY stream_id, role";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

pub(super) fn at(stream: &str, version: i64) -> (String, i64) {
    (stream.to_owned(), version)
}

/// The state on which an execution without saved states decides.
pub(super) async fn state_of(client: &Client, streams: &[&str]) -> Value {
    let sql = "SELECT eventcore_register_command('anew', 'chain', 'link', streams => '{/streams}',
                   initial_state => '\"\"', snapshot_every => 0, replace => true)";
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute(sql).await.unwrap();
    let input = json!({"streams": streams, "to": [streams.last()]});
    execute(client, "anew", input).await.unwrap();
    let state = last_payload(client, streams.last().unwrap()).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    state
}

pub(super) async fn last_payload(client: &Client, name: &str) -> Value {
    stream(client, name).await.last().unwrap().payload.clone()
}

#[tokio::test]
async fn a_stream_of_100_000_events_costs_like_those_since_its_state_was_kept() {
    let (_, client) = chain("long", "").await;
    for _ in 0..10 {
        fill(&client, "s", 10_000).await;
    }
    let (done, first) = link(&client, &["s"]).await;
    assert_eq!((done.versions, first), (vec![100_001], 100_000));
    assert_eq!(kept(&client).await, [at("s", 100_000)]);
    // The next executions also fold the event that each execution writes, until there are 100.
    for since in 1..=99 {
        assert_eq!(folded(&client, &["s"]).await, since);
    }
    assert_eq!(kept(&client).await, [at("s", 100_000)]);
    assert_eq!(folded(&client, &["s"]).await, 100);
    assert_eq!(kept(&client).await, [at("s", 100_100)]);
    assert_eq!(folded(&client, &["s"]).await, 1);
    let expected = state_of(&client, &["s"]).await;
    link(&client, &["s"]).await;
    assert_eq!(last_payload(&client, "s").await, expected);
}

#[tokio::test]
async fn nothing_is_kept_of_a_short_stream_or_where_it_is_not_wanted() {
    let (_, client) = chain("long_short", "").await;
    fill(&client, "s", 99).await;
    assert_eq!(folded(&client, &["t", "s"]).await, 99);
    assert_eq!(folded(&client, &["s"]).await, 100);
    assert_eq!(kept(&client).await, [at("s", 100)]);
    register(&client, ", snapshot_every => 0").await;
    assert_eq!(kept(&client).await, []);
    assert_eq!(folded(&client, &["s"]).await, 101);
    assert_eq!(folded(&client, &["s"]).await, 102);
    assert_eq!(kept(&client).await, []);
}

/// The first stream's state is the same in every execution in which it comes first; the other
/// streams are folded into it.
#[tokio::test]
async fn without_combine_the_state_of_the_first_stream_is_kept() {
    let (_, client) = chain("long_first", "").await;
    fill(&client, "a", 500).await;
    fill(&client, "b", 500).await;
    assert_eq!(folded(&client, &["a", "b"]).await, 1_000);
    assert_eq!(kept(&client).await, [at("a", 500)]);
    assert_eq!(folded(&client, &["a", "c"]).await, 0);
    assert_eq!(folded(&client, &["a", "b"]).await, 501);
    assert_eq!(folded(&client, &["b", "a"]).await, 1_002);
    assert_eq!(kept(&client).await, [at("a", 500), at("b", 502)]);
}

#[tokio::test]
async fn with_combine_the_state_of_every_stream_is_kept_also_of_one_that_was_found() {
    let (_, client) = chain("long_combine", "").await;
    let related = "CREATE FUNCTION related(jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS
                       $$ SELECT ARRAY[input->>'related'] WHERE input ? 'related' $$";
    client.batch_execute(related).await.unwrap();
    register(&client, ", combine => 'mix', related_streams => 'related'").await;
    for stream in ["a", "b", "c", "found"] {
        fill(&client, stream, 200).await;
    }
    let input = json!({"streams": ["a", "b"], "checked": "c", "related": "found", "to": ["a"]});
    for expected in [800, 1] {
        let before = calls(&client).await;
        execute(&client, "chain", input.clone()).await.unwrap();
        assert_eq!(calls(&client).await - before, expected);
        let expected = ["a", "b", "c", "found"].map(|stream| at(stream, 200));
        assert_eq!(kept(&client).await, expected);
    }
    // In any order.
    assert_eq!(folded(&client, &["found", "b", "a", "d"]).await, 2);
}

#[tokio::test]
async fn what_combine_returns_takes_the_place_of_both_states() {
    let (_, client) = database("long_concat").await;
    for sql in [
        super::APPLY,
        super::TRANSFER,
        "SELECT eventcore_register_command('transfer', 'apply', 'transfer', streams => '{/from,/to}',
             combine => 'jsonb_concat', snapshot_every => 2)",
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    super::deposit(&client, "a", 100).await;
    for (from, to) in [
        ("a", "b"),
        ("b", "a"),
        ("a", "b"),
        ("a", "c"),
        ("c", "b"),
        ("b", "a"),
    ] {
        let input = json!({"from": from, "to": to, "cents": 10});
        execute(&client, "transfer", input).await.unwrap();
    }
    let input = json!({"from": "a", "to": "b", "cents": 91});
    let rejected = execute(&client, "transfer", input).await.unwrap_err();
    assert_eq!(rejected.message, "only 90 cents left");
    assert!(kept(&client).await.contains(&at("b", 4)));
    let nothing = "CREATE FUNCTION nothing(jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
        SELECT eventcore_register_command('bad', 'apply', 'transfer', streams => '{/from,/to}', combine => 'nothing')";
    client.batch_execute(nothing).await.unwrap();
    let input = json!({"from": "a", "to": "b", "cents": 1});
    let bad = execute(&client, "bad", input).await.unwrap_err();
    assert_eq!(bad.assert_ours("SE003")["argument"], "result of combine");
}

#[tokio::test]
async fn malformed_arguments_are_named() {
    let (_, client) = chain("long_arguments", "").await;
    for (more, argument) in [
        ("snapshot_every => -1", "snapshot_every"),
        ("snapshot_every => NULL", "snapshot_every"),
        ("combine => 'chain'", "combine"),
        ("combine => 'now'", "combine"),
    ] {
        let sql = format!(
            "SELECT eventcore_register_command('n', 'chain', 'link', streams => '{{/a}}', {more})"
        );
        let refused = failure(client.batch_execute(&sql).await);
        assert_eq!(refused.assert_ours("SE003")["argument"], argument, "{more}");
    }
}

#[tokio::test]
async fn what_was_rolled_back_or_rejected_keeps_nothing() {
    let (_, client) = chain("long_rollback", "").await;
    fill(&client, "s", 300).await;
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 300);
    assert_eq!(folded(&client, &["s"]).await, 1);
    client.batch_execute("SAVEPOINT one").await.unwrap();
    fill(&client, "s", 300).await;
    assert_eq!(folded(&client, &["s"]).await, 302);
    assert_eq!(kept(&client).await, [at("s", 602)]);
    // The rollback of the events also removes the saved state; the one before it is back.
    client.batch_execute("ROLLBACK TO one").await.unwrap();
    assert_eq!(kept(&client).await, [at("s", 300)]);
    assert_eq!(folded(&client, &["s"]).await, 2);
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(kept(&client).await, []);
    let input = json!({"streams": "s", "checked": [], "reject": true});
    let rejected = execute(&client, "chain", input).await.unwrap_err();
    rejected.assert_ours("SE006");
    assert_eq!(kept(&client).await, []);
    assert_eq!(folded(&client, &["s"]).await, 300);
    assert_eq!(kept(&client).await, [at("s", 300)]);
}

#[tokio::test]
async fn every_isolation_level_uses_a_state_and_all_but_serializable_keep_one() {
    let (url, client) = chain("long_levels", "").await;
    let other = connect(&url).await;
    fill(&client, "s", 300).await;
    for (level, keeps) in [("SERIALIZABLE", false), ("REPEATABLE READ", true)] {
        let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT 1");
        other.batch_execute(&begin).await.unwrap();
        assert_eq!(folded(&other, &["s"]).await, 300, "{level}");
        other.batch_execute("ROLLBACK; BEGIN").await.unwrap();
        other
            .batch_execute(&format!("SET TRANSACTION ISOLATION LEVEL {level}"))
            .await
            .unwrap();
        assert_eq!(folded(&other, &["s"]).await, 300, "{level}");
        assert_eq!(kept(&other).await.is_empty(), !keeps, "{level}");
        other.batch_execute("ROLLBACK").await.unwrap();
    }
    link(&client, &["s"]).await;
    for level in ["SERIALIZABLE", "REPEATABLE READ"] {
        let begin = format!("BEGIN ISOLATION LEVEL {level}; SELECT FROM eventcore.events LIMIT 1");
        other.batch_execute(&begin).await.unwrap();
        // The state is newer than the snapshot: an execution that is refused without the state is
        // refused with it too.
        fill(&client, "s", 100).await;
        link(&client, &["s"]).await;
        let input = json!({"streams": "s", "checked": [], "to": []});
        let moved = execute(&other, "chain", input).await.unwrap_err();
        moved.assert_ours("SE001");
        other
            .batch_execute(&format!("ROLLBACK; BEGIN ISOLATION LEVEL {level}"))
            .await
            .unwrap();
        assert_eq!(folded(&other, &["s"]).await, 1, "{level}");
        other.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// P12. The caller's settings do not affect the functions, and a state is visible only to the role
/// that saved it.
#[tokio::test]
async fn a_role_that_may_only_execute_has_states_of_its_own_and_no_other_way_to_them() {
    let (_, client) = chain("long_rights", "").await;
    client
        .batch_execute(
            "CREATE ROLE long_executor LOGIN IN ROLE eventcore_executor;
             CREATE SCHEMA evil;
             CREATE FUNCTION evil.md5(text) RETURNS text LANGUAGE sql AS $$ SELECT 'forged' $$;
             GRANT USAGE ON SCHEMA evil TO long_executor",
        )
        .await
        .unwrap();
    fill(&client, "s", 300).await;
    let executor = session_as("long_rights", "long_executor").await;
    let evil = "SET search_path = evil, pg_catalog, public";
    executor.batch_execute(evil).await.unwrap();
    let input = json!({"streams": "s", "checked": [], "to": []});
    execute(&executor, "chain", input.clone()).await.unwrap();
    let state = "SELECT state #>> '{}' FROM eventcore.command_states";
    let expected = state_of(&client, &["s"]).await;
    assert_eq!(
        value::<String>(&client, state).await,
        expected.as_str().unwrap()
    );
    assert_eq!(folded(&client, &["s"]).await, 300);
    assert_eq!(last_payload(&client, "s").await, expected);
    assert_eq!(kept(&client).await, [at("s", 300), at("s", 300)]);
    // The role continues from its own state.
    let before = calls(&client).await;
    execute(&executor, "chain", input).await.unwrap();
    assert_eq!(calls(&client).await - before, 1);
    for sql in [
        "SELECT * FROM eventcore.command_states",
        "INSERT INTO eventcore.command_states SELECT * FROM eventcore.command_states",
        "UPDATE eventcore.command_states SET state = '1'",
        "DELETE FROM eventcore.command_states",
        "SELECT eventcore_discard_command_states('chain')",
    ] {
        let refused = failure(executor.batch_execute(sql).await);
        assert_eq!(refused.code, "42501", "{sql}");
    }
}

#[tokio::test]
async fn states_are_left_out_of_a_dump() {
    let (_, client) = database("long_dump").await;
    let dumped = "SELECT count(*) FROM pg_extension, unnest(extconfig) c
                   WHERE c = 'eventcore.command_states'::regclass";
    assert_eq!(value::<i64>(&client, dumped).await, 0);
}
