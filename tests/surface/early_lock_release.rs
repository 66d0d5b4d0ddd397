//! `eventcore.early_lock_release`: locks are released before the log is flushed; the client,
//! repeats and subscribers wait.
//!
//! A flush is too short to observe. So these sessions wait for a standby that never comes, which
//! the server does at the same point.

use std::time::Duration;

use eventcore_harness::{Server, ServerOptions};
use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;

use crate::support::{Client, connect, failure, until_waiting, value};

/// A server whose sessions wait for a standby after `SET synchronous_commit = on`.
fn server() -> Server {
    let options = ServerOptions::new()
        .without_fsync()
        .set("synchronous_commit", "local")
        .set("synchronous_standby_names", "nobody");
    Server::start(options).unwrap()
}

async fn waiting_session(url: &str, is_early: bool) -> Client {
    let client = connect(url).await;
    let settings =
        format!("SET synchronous_commit = on; SET eventcore.early_lock_release = {is_early}");
    client.batch_execute(&settings).await.unwrap();
    client
}

fn append(version: i64, id: u32) -> String {
    format!(
        r#"SELECT repeated FROM eventcore_append('{{s}}', '{{{version}}}', '[{{"stream": "s", "type": "T",
            "payload": {id}, "id": "00000000-0000-4000-8000-{id:012}"}}]')"#
    )
}

/// Runs the statement in a session of its own, and returns when this many sessions wait for the
/// standby.
async fn begin(
    client: Client,
    sql: String,
    looker: &Client,
    waiting: i64,
) -> JoinHandle<Vec<SimpleQueryMessage>> {
    let begun = tokio::spawn(async move {
        let answer = tokio::time::timeout(Duration::from_secs(60), client.simple_query(&sql));
        answer.await.expect("there is no answer").unwrap()
    });
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    while value::<i64>(looker, sql).await < waiting {
        assert!(!begun.is_finished(), "it did not wait for the standby");
        tokio::task::yield_now().await;
    }
    begun
}

async fn cancel_those_who_wait(client: &Client) {
    let sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    client.batch_execute(sql).await.unwrap();
}

fn is_repeat(answer: &[SimpleQueryMessage]) -> bool {
    answer
        .iter()
        .any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")))
}

#[tokio::test]
async fn others_get_the_stream_at_once_and_subscribers_see_nothing_before_the_flush() {
    let server = server();
    let url = server.create_database("early").unwrap();
    let client = connect(&url).await;
    let first = begin(waiting_session(&url, true).await, append(0, 1), &client, 1).await;

    // The stream is free, and the events are visible to appends that continue from them.
    client.batch_execute(&append(1, 2)).await.unwrap();
    let read = "SELECT count(*) FROM eventcore_read_stream('s')";
    assert_eq!(value::<i64>(&client, read).await, 2);
    // For subscribers, the append is still in progress.
    let follow = "SELECT count(*) FROM eventcore_read_all()";
    assert_eq!(value::<i64>(&client, follow).await, 0);
    assert_eq!(
        value::<i64>(&client, "SELECT eventcore_safe_position()").await,
        0
    );
    let inflight = "SELECT count(*) FROM eventcore.stat_inflight";
    assert_eq!(value::<i64>(&client, inflight).await, 1);

    cancel_those_who_wait(&client).await;
    assert!(!is_repeat(&first.await.unwrap()));
    // It has committed, and no standby has confirmed it: subscribers do not see it, `P15`.
    assert_eq!(value::<i64>(&client, follow).await, 0);
    assert_eq!(value::<i64>(&client, read).await, 2);
}

/// Only if another session has released its locks early; otherwise everything visible is on disk.
#[tokio::test]
async fn what_writes_nothing_waits_for_no_flush_of_others() {
    let server = server();
    let url = server.create_database("nothing").unwrap();
    let client = connect(&url).await;
    client.batch_execute(&append(0, 1)).await.unwrap();
    let (one, other) = (
        waiting_session(&url, false).await,
        waiting_session(&url, false).await,
    );
    let first = begin(one, append(1, 2), &client, 1).await;
    let checked = "SELECT eventcore_append('{t}', '{0}', '[]')";
    other.batch_execute(checked).await.unwrap();
    cancel_those_who_wait(&client).await;
    first.await.unwrap();
}

#[tokio::test]
async fn unless_it_is_asked_for_the_stream_is_held_until_the_flush_is_over() {
    let server = server();
    let url = server.create_database("late").unwrap();
    let client = connect(&url).await;
    let first = begin(waiting_session(&url, false).await, append(0, 1), &client, 1).await;
    let other = connect(&url).await;
    let second = tokio::spawn(async move { other.batch_execute(&append(1, 2)).await });
    until_waiting(&client, 1).await;
    cancel_those_who_wait(&client).await;
    first.await.unwrap();
    second.await.unwrap().unwrap();
}

/// A client that lost its connection before it learned of the commit asks again: success means that
/// the append is safe.
#[tokio::test]
async fn a_repeat_is_acknowledged_when_the_first_one_is_durable() {
    let server = server();
    let url = server.create_database("repeats").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute(
            "CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS
                 $$ SELECT jsonb_build_array('{\"stream\": \"c\", \"type\": \"T\", \"payload\": 1}'::jsonb) $$;
             SELECT eventcore_register_command('c', 'apply', 'handle', streams => '{/stream}')",
        )
        .await
        .unwrap();
    let execute =
        r#"SELECT repeated FROM eventcore_execute('c', '{"stream": "c"}', idempotency_key => 'k')"#;
    let first = [
        begin(waiting_session(&url, true).await, append(0, 1), &client, 1).await,
        begin(
            waiting_session(&url, true).await,
            execute.to_owned(),
            &client,
            2,
        )
        .await,
    ];
    // A call that writes nothing also reports what exists.
    let nothing = "SELECT repeated FROM eventcore_append('{s}', '{1}', '[]')".to_owned();
    let nothing = begin(waiting_session(&url, false).await, nothing, &client, 3).await;
    // It does not matter whether the session that repeats the append releases its locks early.
    let again = [
        begin(waiting_session(&url, false).await, append(0, 1), &client, 4).await,
        begin(
            waiting_session(&url, true).await,
            execute.to_owned(),
            &client,
            5,
        )
        .await,
    ];
    cancel_those_who_wait(&client).await;
    for first in first {
        assert!(!is_repeat(&first.await.unwrap()));
    }
    nothing.await.unwrap();
    for again in again {
        assert!(is_repeat(&again.await.unwrap()));
    }
}

/// A projection receives what is appended after its creation, and its checkpoint says where that
/// begins.
#[tokio::test]
async fn an_inline_projection_begins_after_what_has_released_its_locks() {
    let server = server();
    let url = server.create_database("inline").unwrap();
    let client = connect(&url).await;
    let first = begin(waiting_session(&url, true).await, append(0, 1), &client, 1).await;
    client
        .batch_execute(
            "CREATE FUNCTION handle(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             SELECT eventcore_create_projection('p', 'handle', mode => 'inline', start_from => 'now')",
        )
        .await
        .unwrap();
    let checkpoint = "SELECT checkpoint FROM eventcore.projections";
    let last = "SELECT max(position) FROM eventcore.events";
    let (checkpoint, last): (i64, i64) =
        (value(&client, checkpoint).await, value(&client, last).await);
    assert_eq!(checkpoint, last);
    cancel_those_who_wait(&client).await;
    first.await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_fails_or_is_rolled_back_leaves_the_session_as_it_was() {
    let server = server();
    let url = server.create_database("fails").unwrap();
    let client = connect(&url).await;
    client
        .batch_execute(
            "CREATE TABLE checked (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
             INSERT INTO checked VALUES (1);
             CREATE TABLE other (n integer)",
        )
        .await
        .unwrap();
    let session = waiting_session(&url, true).await;
    let deferred = format!(
        "BEGIN; {}; INSERT INTO checked VALUES (1); COMMIT",
        append(0, 1)
    );
    assert_eq!(
        failure(session.batch_execute(&deferred).await).code,
        "23505"
    );
    let rolled_back = format!("BEGIN; {}; ROLLBACK", append(0, 1));
    session.batch_execute(&rolled_back).await.unwrap();
    // Each reads what the other writes, which the server detects last of all.
    let serializable = "BEGIN ISOLATION LEVEL SERIALIZABLE";
    let skewed = format!(
        "{serializable}; {}; SELECT FROM checked; INSERT INTO other VALUES (1)",
        append(0, 1)
    );
    session.batch_execute(&skewed).await.unwrap();
    let skewing =
        format!("{serializable}; SELECT FROM other; INSERT INTO checked VALUES (2); COMMIT");
    client.batch_execute(&skewing).await.unwrap();
    assert_eq!(failure(session.batch_execute("COMMIT").await).code, "40001");
    assert_eq!(
        value::<String>(&session, "SHOW synchronous_commit").await,
        "on"
    );
    // A transaction without events commits as usual and keeps its locks.
    let plain = begin(
        session,
        "UPDATE checked SET n = 7 WHERE n = 1".to_owned(),
        &client,
        1,
    )
    .await;
    let other = connect(&url).await;
    let lock = "BEGIN; LOCK TABLE checked IN SHARE MODE; COMMIT";
    let locking = tokio::spawn(async move { other.batch_execute(lock).await });
    until_waiting(&client, 1).await;
    cancel_those_who_wait(&client).await;
    plain.await.unwrap();
    locking.await.unwrap().unwrap();
}
