//! A saved state is used only for the command that made it.

use super::{at, chain, fill, folded, kept, last_payload, link, register, state_of};
use crate::support::{connect, value};

const OTHER_APPLY: &str = "
    CREATE OR REPLACE FUNCTION chain(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM nextval('public.calls');
        RETURN to_jsonb(md5(concat(event.version, state)));
    END $$";

#[tokio::test]
async fn a_command_that_is_registered_again_starts_without_states() {
    let (_, client) = chain("replaced_command", "").await;
    fill(&client, "s", 300).await;
    assert_eq!(folded(&client, &["s"]).await, 300);
    assert_eq!(folded(&client, &["s"]).await, 1);
    register(&client, "").await;
    assert_eq!(kept(&client).await, []);
    assert_eq!(folded(&client, &["s"]).await, 302);
    let drop = "SELECT eventcore_drop_command('chain')";
    assert!(value::<bool>(&client, drop).await);
    assert_eq!(kept(&client).await, []);
    register(&client, ", snapshot_every => 1").await;
    assert_eq!(folded(&client, &["s"]).await, 303);
}

/// By its definition, so also when another session replaces or alters it.
#[tokio::test]
async fn a_state_is_not_used_after_apply_was_replaced_by_another_definition() {
    let (url, client) = chain("replaced_apply", "").await;
    let other = connect(&url).await;
    fill(&client, "s", 300).await;
    assert_eq!(folded(&client, &["s"]).await, 300);
    let before = state_of(&client, &["s"]).await;
    other.batch_execute(OTHER_APPLY).await.unwrap();
    let expected = state_of(&client, &["s"]).await;
    assert_ne!(before, expected);
    assert_eq!(folded(&client, &["s"]).await, 301);
    assert_eq!(last_payload(&client, "s").await, expected);
    // A state that was saved under the previous definition is not used either.
    other.batch_execute(OTHER_APPLY).await.unwrap();
    assert_eq!(
        folded(&client, &["s"]).await,
        1,
        "the same definition again"
    );
    let setting = "ALTER FUNCTION chain SET extra_float_digits = 1";
    other.batch_execute(setting).await.unwrap();
    assert_eq!(folded(&client, &["s"]).await, 303);
    let handle = "CREATE OR REPLACE FUNCTION link(jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb'";
    other
        .batch_execute(&handle.replace("link(jsonb, jsonb)", "link(state jsonb, input jsonb)"))
        .await
        .unwrap();
    assert_eq!(
        folded(&client, &["s"]).await,
        1,
        "what handle does is not in the state"
    );
}

#[tokio::test]
async fn states_are_discarded_for_what_apply_calls() {
    let (_, client) = chain("replaced_discard", "").await;
    client
        .batch_execute(
            "CREATE FUNCTION helper(state jsonb, version bigint) RETURNS jsonb LANGUAGE sql AS
                 $$ SELECT to_jsonb(md5(state::text)) $$;
             CREATE OR REPLACE FUNCTION chain(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM nextval('public.calls');
                 RETURN helper(state, event.version);
             END $$",
        )
        .await
        .unwrap();
    fill(&client, "s", 300).await;
    link(&client, &["s"]).await;
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION helper(state jsonb, version bigint) RETURNS jsonb LANGUAGE sql AS
                 $$ SELECT to_jsonb(md5(state::text || version)) $$",
        )
        .await
        .unwrap();
    let expected = state_of(&client, &["s"]).await;
    link(&client, &["s"]).await;
    let seen = last_payload(&client, "s").await;
    assert_ne!(seen, expected, "what apply calls is not seen");
    let discard = "SELECT eventcore_discard_command_states('chain')";
    assert!(value::<bool>(&client, discard).await);
    assert_eq!(kept(&client).await, []);
    let expected = state_of(&client, &["s"]).await;
    assert_eq!(folded(&client, &["s"]).await, 302);
    assert_eq!(last_payload(&client, "s").await, expected);
    let unknown = "SELECT eventcore_discard_command_states('unknown')";
    assert!(!value::<bool>(&client, unknown).await);
}

/// The execution has folded its events, and commits its saved state after the states were
/// discarded.
#[tokio::test]
async fn an_execution_that_is_under_way_keeps_nothing_that_is_used_after_a_discard() {
    let (url, client) = chain("replaced_under_way", "").await;
    fill(&client, "s", 300).await;
    for change in [
        "SELECT eventcore_discard_command_states('chain')",
        "SELECT eventcore_register_command('chain', 'chain', 'link', streams => '{/streams}',
             initial_state => '\"\"', replace => true)",
    ] {
        let anew = "SELECT eventcore_discard_command_states('chain')";
        client.batch_execute(anew).await.unwrap();
        let other = connect(&url).await;
        other.batch_execute("BEGIN").await.unwrap();
        let length = folded(&other, &["s"]).await;
        // Neither waits for the other.
        client
            .batch_execute("SET statement_timeout = '20s'")
            .await
            .unwrap();
        client.batch_execute(change).await.unwrap();
        other.batch_execute("COMMIT").await.unwrap();
        assert_eq!(kept(&client).await, [at("s", length)]);
        assert_eq!(folded(&client, &["s"]).await, length + 1, "{change}");
        assert_eq!(kept(&client).await, [at("s", length + 1)]);
    }
}

/// A transaction that already holds all its locks does not notice by itself what other sessions
/// change.
#[tokio::test]
async fn an_older_transaction_keeps_no_state_of_older_functions_under_the_new_registration() {
    let (url, client) = chain("replaced_older", "").await;
    let helper = |number: i64| {
        format!(
            "CREATE OR REPLACE FUNCTION helper() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN {number}; END $$"
        )
    };
    for sql in [
        &helper(1),
        "CREATE OR REPLACE FUNCTION chain(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
         BEGIN RETURN to_jsonb(helper()); END $$",
        "CREATE FUNCTION tell(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
         BEGIN
             RETURN jsonb_build_array(jsonb_build_object('stream', 'told', 'type', 'T', 'payload', state));
         END $$",
        "SELECT eventcore_register_command('tell', 'chain', 'tell', streams => '{/stream,/told}', snapshot_every => 10)",
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    fill(&client, "a", 30).await;
    fill(&client, "b", 30).await;
    let tell = |stream: &str| {
        format!(
            r#"SELECT FROM eventcore_execute('tell', '{{"stream": "{stream}", "told": "told"}}')"#
        )
    };
    let older = connect(&url).await;
    older.batch_execute("BEGIN").await.unwrap();
    older.batch_execute(&tell("a")).await.unwrap();
    let anew = format!(
        "BEGIN; {}; SELECT eventcore_discard_command_states('tell'); COMMIT",
        helper(1000)
    );
    client.batch_execute(&anew).await.unwrap();
    older.batch_execute(&tell("b")).await.unwrap();
    older.batch_execute("COMMIT").await.unwrap();
    let states = "SELECT count(*) FROM eventcore.command_states WHERE command = 'tell' AND stream_id = 'b' AND state <> '1000'";
    assert_eq!(value::<i64>(&client, states).await, 0);
}
