//! The connections of the Rust client: calls that wait too long, calls that are dropped, and
//! sessions that have changed behind the client.

use std::time::{Duration, Instant};

use eventcore::postgres::Builder;
use eventcore::{
    Append, EventStore, EventType, ExpectedVersion, NewEvent, PostgresEventStore, ProjectionStore,
    ReadStream, StreamId,
};
use eventcore_harness::{Server, ServerOptions};
use tokio::net::TcpListener;

use crate::support::{Client, chain, database};

/// A store with a single connection, and a session of the test.
async fn alone(name: &str) -> (Builder, Client) {
    let (url, client) = database(name).await;
    let builder = PostgresEventStore::builder(&url).unwrap();
    (builder.pool_size(1), client)
}

fn stream() -> StreamId {
    StreamId::new("a").unwrap()
}

fn append() -> Append {
    let happened = EventType::new("Happened").unwrap();
    let event = NewEvent::new(stream(), happened, serde_json::json!({"n": 1}));
    Append::new()
        .stream(stream(), ExpectedVersion::Unchecked)
        .event(event)
}

/// Locks the stream until the end of its transaction.
async fn lock(client: &Client) {
    client
        .batch_execute(
            "BEGIN; SELECT eventcore_append('{a}', '{NULL}', '{a}', '{Happened}', '{1}', NULL)",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_call_that_gets_no_connection_says_that_all_are_in_use() {
    let (builder, _client) = alone("connections_in_use").await;
    let builder = builder.pool_timeout(Duration::from_millis(50));
    let store = builder.connect().await.unwrap();
    let transaction = store.begin().await.unwrap();
    let error = store.safe_position().await.unwrap_err();
    assert!(error.is_timeout() && error.is_retriable(), "{error:?}");
    assert!(chain(&error).contains("in use"), "{}", chain(&error));
    store.roll_back(transaction).await;
    store.safe_position().await.unwrap();
}

/// A process accepts connections there and never answers.
#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let builder = PostgresEventStore::builder(&format!("postgresql://u@127.0.0.1:{port}/d"));
    let builder = builder.unwrap().connect_timeout(Duration::from_millis(200));
    let start = Instant::now();
    let error = builder.connect().await.unwrap_err();
    assert!(error.is_timeout() && error.is_retriable(), "{error:?}");
    assert!(
        chain(&error).contains("connect_timeout"),
        "{}",
        chain(&error)
    );
    // Without a timeout, this would never return.
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_says_so_and_has_done_nothing() {
    let (builder, client) = alone("connections_timeout").await;
    let builder = builder.statement_timeout(Duration::from_millis(100));
    let store = builder.connect().await.unwrap();
    lock(&client).await;
    let append = append();
    let error = store.append(&append).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert!(!error.is_retriable() && error.code().is_none(), "{error:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(
        store.read_stream(&ReadStream::new(stream())).await.unwrap(),
        []
    );
    assert!(!store.append(&append).await.unwrap().repeated);
}

/// The server still carries it out, as a whole.
#[tokio::test]
async fn a_call_that_is_dropped_leaves_no_half_append() {
    let (builder, client) = alone("connections_dropped").await;
    let store = builder.connect().await.unwrap();
    lock(&client).await;
    let append = append().event(append().events.remove(0));
    let dropped = tokio::time::timeout(Duration::from_millis(100), store.append(&append)).await;
    assert!(dropped.is_err(), "it does not wait for the lock");
    client.batch_execute("COMMIT").await.unwrap();
    loop {
        let events = store.read_stream(&ReadStream::new(stream())).await.unwrap();
        match events.len() {
            1 => tokio::time::sleep(Duration::from_millis(20)).await,
            3 => break,
            other => panic!("{other} events of 1 and 2"),
        }
    }
    assert!(store.append(&append).await.unwrap().repeated);
}

/// As after DEALLOCATE or DISCARD ALL.
#[tokio::test]
async fn a_connection_that_has_lost_its_statements_is_replaced_after_one_error() {
    let (builder, _client) = alone("connections_deallocated").await;
    let store = builder.connect().await.unwrap();
    let transaction = store.begin().await.unwrap();
    transaction.batch_execute("DEALLOCATE ALL").await.unwrap();
    store.commit(transaction).await.unwrap();
    let error = store.safe_position().await.unwrap_err();
    assert!(chain(&error).contains("transaction_pooling(true)"));
    for _ in 0..3 {
        store.safe_position().await.unwrap();
    }
}

#[tokio::test]
async fn a_store_works_on_after_the_server_was_restarted() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let url = server.create_database("connections").unwrap();
    let store = PostgresEventStore::connect(&url).await.unwrap();
    store.append(&append()).await.unwrap();
    server.restart().unwrap();
    // A call may start before the client knows that its connection has ended.
    let mut tries = 0;
    while let Err(error) = store.append(&append()).await {
        assert!(error.is_retriable() && tries < 2, "{error:?}");
        tries += 1;
    }
    let events = store.read_stream(&ReadStream::new(stream())).await.unwrap();
    assert_eq!(events.len(), 2);
}

/// Otherwise the next user of the connection would wait for an answer that no caller wants any
/// more.
#[tokio::test]
async fn a_call_that_is_dropped_while_it_waits_for_an_answer_delays_no_other() {
    let (builder, client) = alone("connections_busy").await;
    let store = builder.connect().await.unwrap();
    lock(&client).await;
    let dropped = tokio::time::timeout(Duration::from_millis(200), store.append(&append())).await;
    assert!(dropped.is_err());
    let other = [StreamId::new("other").unwrap()];
    let next = tokio::time::timeout(Duration::from_secs(10), store.stream_versions(&other)).await;
    next.expect("it waits behind the append").unwrap();
    client.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn a_role_without_rights_learns_which_role_it_needs() {
    let (url, client) = database("connections_denied").await;
    let create = "CREATE ROLE connections_nobody LOGIN";
    client.batch_execute(create).await.unwrap();
    let url = url.replace("//postgres@", "//connections_nobody@");
    let error = PostgresEventStore::connect(&url).await.unwrap_err();
    assert!(error.is_denied() && !error.is_retriable(), "{error:?}");
    assert!(
        format!("{error:?}").contains("eventcore_reader"),
        "{error:?}"
    );
}
