//! Streams that a command discovers in its state: they are read, checked, and locked without
//! deadlocks.

use serde_json::json;

use super::{bank, execute};
use crate::support::{Client, append, connect, failure, stream, until_waiting};

/// A command `follow` that reads each stream that an event names, and writes to all that it found.
const FOLLOW: &str = r#"
    CREATE FUNCTION links(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS $$
        SELECT CASE WHEN event.event_type = 'Linked' THEN state || (event.payload->'to') ELSE state END $$;
    CREATE FUNCTION related(state jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS $$
        SELECT array_agg(value) FROM jsonb_array_elements_text(state) $$;
    CREATE FUNCTION visit(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_sleep(coalesce((input->>'pause')::float8, 0));
        RETURN (SELECT jsonb_agg(DISTINCT jsonb_build_object('stream', value, 'type', 'Visited', 'payload', 1))
                  FROM jsonb_array_elements_text(state));
    END $$;
    SELECT eventcore_register_command('follow', 'links', 'visit', streams => '{/start}', initial_state => '[]',
                                      related_streams => 'related', max_attempts => 3);"#;

async fn link(client: &Client, from: &str, to: &str) {
    let event = json!({"stream": from, "type": "Linked", "payload": {"to": to}});
    append(client, &[(from, None)], json!([event]))
        .await
        .unwrap();
}

async fn linked(name: &str, links: &[(&str, &str)]) -> (String, Client) {
    let (url, client) = bank(name).await;
    client.batch_execute(FOLLOW).await.unwrap();
    for (from, to) in links {
        link(&client, from, to).await;
    }
    (url, client)
}

#[tokio::test]
async fn each_stream_that_is_found_is_read_once_and_takes_part() {
    let links = [("s", "m"), ("s", "n"), ("m", "o"), ("n", "o"), ("o", "s")];
    let (_, client) = linked("find", &links).await;
    let done = execute(&client, "follow", json!({"start": "s"}))
        .await
        .unwrap();
    assert_eq!(done.streams, ["s", "m", "n", "o"]);
    assert_eq!(done.versions, [3, 2, 2, 2]);
    assert_eq!(done.attempts, 1);
}

/// Two sessions: the command discovers a stream that another transaction has written but not yet
/// committed.
#[tokio::test]
async fn a_stream_that_is_found_locked_is_waited_for_from_the_start() {
    let (url, client) = linked("find_locked", &[("s", "m")]).await;
    client.batch_execute("BEGIN").await.unwrap();
    link(&client, "m", "z").await;
    let other = connect(&url).await;
    let waits = tokio::spawn(async move { execute(&other, "follow", json!({"start": "s"})).await });
    until_waiting(&client, 1).await;
    // While it waits for `m`, it may or may not hold the lock of `s`, depending on the order of
    // their keys. Nothing waits for both.
    client.batch_execute("COMMIT").await.unwrap();
    let done = waits.await.unwrap().unwrap();
    assert_eq!((done.streams.len(), done.attempts), (3, 2));
    assert_eq!(stream(&client, "z").await.len(), 1);
}

#[tokio::test]
async fn commands_that_find_each_others_streams_do_not_deadlock() {
    let (url, client) = linked("find_crossed", &[("x", "y"), ("y", "x")]).await;
    drop(client);
    let runs = ["x", "y"].map(|start| {
        let url = url.clone();
        tokio::spawn(async move {
            let session = connect(&url).await;
            let mut attempts = 0;
            for _ in 0..60 {
                let done =
                    execute(&session, "follow", json!({"start": start, "pause": 0.001})).await;
                attempts += done.unwrap().attempts;
            }
            attempts
        })
    });
    let mut attempts = 0;
    for run in runs {
        attempts += run.await.unwrap();
    }
    println!("{attempts} attempts for 120 commands");
    let client = connect(&url).await;
    assert_eq!(stream(&client, "x").await.len(), 121);
    assert_eq!(stream(&client, "y").await.len(), 121);
}

#[tokio::test]
async fn streams_that_cannot_be_are_refused_and_named() {
    let (_, client) = linked("find_bad", &[]).await;
    for (name, body) in [
        ("unnamed", "ARRAY['']"),
        ("nulls", "ARRAY['a', NULL]"),
        ("deep", "ARRAY[ARRAY['a', 'b']]"),
        (
            "many",
            "(SELECT array_agg('s-' || n) FROM generate_series(1, 1000) n)",
        ),
    ] {
        let sql = format!(
            "CREATE FUNCTION find_{name}(jsonb, jsonb) RETURNS text[] LANGUAGE sql AS $$ SELECT {body} $$;
             SELECT eventcore_register_command('{name}', 'links', 'visit', streams => '{{/start}}',
                 initial_state => '[]', related_streams => 'find_{name}')"
        );
        client.batch_execute(&sql).await.unwrap();
        let refused = execute(&client, name, json!({"start": "s"}))
            .await
            .unwrap_err();
        let detail = refused.assert_ours("SE003");
        assert_eq!(
            detail["argument"], "result of related_streams",
            "{name}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_command_whose_streams_are_always_locked_gives_up_with_a_conflict() {
    let (url, client) = linked("find_endless", &[]).await;
    // The resolver names another stream each time, and another session has locked all of them.
    client
        .batch_execute(
            "CREATE SEQUENCE n;
             CREATE FUNCTION another(jsonb, jsonb) RETURNS text[] LANGUAGE sql AS
                 $$ SELECT ARRAY['taken-' || nextval('n')] $$;
             SELECT eventcore_register_command('hunt', 'links', 'visit', streams => '{/start}', initial_state => '[]',
                 related_streams => 'another', max_attempts => 3)",
        )
        .await
        .unwrap();
    let holder = connect(&url).await;
    holder.batch_execute("BEGIN").await.unwrap();
    let sql = "SELECT eventcore_append(array_agg('taken-' || n), array_agg(NULL::bigint),
                   jsonb_agg(jsonb_build_object('stream', 'taken-' || n, 'type', 'A', 'payload', 1)))
                 FROM generate_series(1, 10) n";
    holder.batch_execute(sql).await.unwrap();
    client
        .batch_execute("SET lock_timeout = '500 ms'")
        .await
        .unwrap();
    let sql = "SELECT eventcore_execute('hunt', '{\"start\": \"s\"}')";
    // The second attempt waits for the stream that the first one discovered.
    assert_eq!(failure(client.batch_execute(sql).await).code, "55P03");
    holder.batch_execute("ROLLBACK").await.unwrap();
}
