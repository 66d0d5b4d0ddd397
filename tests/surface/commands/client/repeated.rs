//! Calls whose answer is lost, and calls that are made again, are executed once.

use std::time::Duration;

use eventcore::{ExecuteOptions, PostgresEventStore, RetryPolicy, execute, execute_with};
use eventcore_harness::{Server, ServerOptions};
use tokio::task::JoinHandle;

use super::{TRANSFER, executions, id, store, transfer};
use crate::commands::{APPLY, TRANSFER as HANDLE, deposit};
use crate::support::{Client, connect, stream, value};

/// Terminates the session that waits for this, as soon as there is one.
async fn terminate(client: &Client, waits_for: &str) {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event = '{waits_for}'"
    );
    while value::<i64>(client, &sql).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns when a session waits for the standby and its transaction has recognised its append as a
/// repeat.
async fn until_a_repeat_waits(client: &Client) {
    let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event = 'SyncRep' AND backend_xid IS NULL";
    while value::<i64>(client, sql).await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The result of a call, which could otherwise wait without end for a standby that never comes.
async fn answer<T>(call: JoinHandle<T>) -> T {
    let answered = tokio::time::timeout(Duration::from_secs(30), call).await;
    answered.expect("there is no answer").unwrap()
}

#[tokio::test]
async fn the_same_key_is_executed_once_whatever_the_input_is() {
    let (store, client) = store("client_key").await;
    let (first_input, other_input) = (transfer(1), transfer(2));
    let first = TRANSFER.with(&first_input).idempotency_key("k");
    let first = execute(&store, &first).await.unwrap();
    let again = TRANSFER.with(&other_input).idempotency_key("k");
    let again = execute(&store, &again).await.unwrap();
    assert!(!first.repeated && again.repeated);
    assert_eq!(
        (again.positions, &again.versions, again.recorded_at),
        (first.positions, &first.versions, first.recorded_at)
    );
    assert_eq!((again.attempts, again.server_attempts), (1, 0));
    // Without a key, each call is a new execution.
    for _ in 0..2 {
        let other = execute(&store, &TRANSFER.with(&first_input)).await.unwrap();
        assert!(!other.repeated);
    }
    assert_eq!(stream(&client, "b").await.len(), 3);
    assert_eq!(executions(&client).await, 3);
}

/// The transaction is rolled back, and the client sends the call again.
#[tokio::test]
async fn a_call_whose_session_ends_before_the_commit_is_sent_again() {
    let (store, client) = store("client_killed").await;
    client
        .batch_execute(
            "BEGIN; SELECT eventcore_append('{a}', '{NULL}', '{a}', '{Deposited}', '{\"{\\\"cents\\\": 5}\"}', NULL)",
        )
        .await
        .unwrap();
    let call = tokio::spawn(async move { store.execute_command(&TRANSFER, &transfer(1)).await });
    terminate(&client, "advisory").await;
    client.batch_execute("COMMIT").await.unwrap();
    let done = answer(call).await.unwrap();
    assert!(!done.repeated && done.attempts >= 2, "{done:?}");
    assert_eq!(stream(&client, "b").await.len(), 1);
}

/// A server whose commits wait for a standby that does not exist. A waiting transaction has
/// committed, and its session can be terminated before it answers.
async fn server_that_loses_answers(name: &str) -> (Server, PostgresEventStore, Client) {
    let options = ServerOptions::new()
        .without_fsync()
        .set("synchronous_standby_names", "nobody")
        .set("synchronous_commit", "local");
    let server = Server::start(options).unwrap();
    let url = server.create_database(name).unwrap();
    let client = connect(&url).await;
    let wait = format!("ALTER DATABASE {name} SET synchronous_commit = on");
    for sql in [
        APPLY,
        HANDLE,
        "SELECT eventcore_register_command('transfer', 'apply', 'transfer', streams => '{/from,/to}')",
        &wait,
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    deposit(&client, "a", 100).await;
    let store = PostgresEventStore::connect(&url).await.unwrap();
    (server, store, client)
}

#[tokio::test]
async fn a_call_whose_session_ends_between_the_commit_and_the_answer_is_executed_once() {
    let (_server, store, client) = server_that_loses_answers("client_lost").await;
    // A caller that tries only once learns that the outcome is unknown.
    let once = store.clone();
    let call = tokio::spawn(async move {
        let options = ExecuteOptions::new().retry(RetryPolicy::none());
        execute_with(&once, &TRANSFER.with(&transfer(1)), &options).await
    });
    terminate(&client, "SyncRep").await;
    let error = answer(call).await.unwrap_err();
    assert!(error.is_retriable() && error.attempts() == 1, "{error:?}");
    assert_eq!(stream(&client, "b").await.len(), 1);

    let call = tokio::spawn(async move { store.execute_command(&TRANSFER, &transfer(1)).await });
    terminate(&client, "SyncRep").await;
    // The second attempt finds the result of the first, and returns it once it is durable.
    until_a_repeat_waits(&client).await;
    client
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        .await
        .unwrap();
    client
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .unwrap();
    let done = answer(call).await.unwrap();
    assert!(done.repeated && done.attempts >= 2, "{done:?}");
    assert_eq!(
        (done.version_of(&id("a")), done.server_attempts),
        (Some(3.into()), 0)
    );
    assert_eq!(stream(&client, "b").await.len(), 2);
}
