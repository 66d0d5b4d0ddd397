//! A server that stops accepting writes: after a switch-over behind a proxy, and while a database
//! is frozen.

use std::time::{Duration, Instant};

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{EventStore, PostgresEventStore, StoreError};
use eventcore_harness::Server;

use super::append;
use super::bank::{check_books, open_accounts, transfers};
use crate::support::{self, PATIENCE, connect, eventually};

async fn append_one(store: &PostgresEventStore) -> Result<(), StoreError> {
    store
        .append(&append(&[("probe", Unchecked)]))
        .await
        .map(drop)
}

fn sqlstate(error: &StoreError) -> Option<&str> {
    let source = std::error::Error::source(error)?;
    let error = source.downcast_ref::<tokio_postgres::Error>()?;
    error.code().map(|code| code.code())
}

/// The proxy is late: it still leads to the old primary after that has come back as a standby.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_switch_over_behind_a_proxy_commands_go_on_at_the_new_primary() {
    let mut old = Server::start(support::options()).unwrap();
    old.create_database("switched").unwrap();
    let new = old.standby().unwrap();
    let proxy = support::Switch::to(&new);
    proxy.turn_to(&old);
    let store = PostgresEventStore::builder(&proxy.url("switched")).unwrap();
    let store = store.pool_size(8).connect().await.unwrap();
    open_accounts(&store).await;
    let before = transfers(&store, 4).await;

    new.catch_up_with(&old).unwrap();
    old.stop().unwrap();
    new.promote().unwrap();
    old.follow(&new).unwrap();
    // All connections of the pool lead to the old primary, which answers each append with 25006.
    eventually("the old primary refuses", async || {
        let refused = append_one(&store).await.unwrap_err();
        assert!(refused.is_retriable(), "{refused:?}");
        sqlstate(&refused) == Some("25006")
    })
    .await;
    let reads = (0..32).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.safe_position().await.is_ok() })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }

    proxy.turn_to(&new);
    let switched = Instant::now();
    let after = transfers(&store, 4).await;
    println!(
        "client: 64 commands after a switch-over took {:?}",
        switched.elapsed()
    );
    for _ in 0..16 {
        append_one(&store).await.unwrap();
    }
    check_books(&store, before[0] + after[0]).await;
    assert!(switched.elapsed() < PATIENCE / 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_wait_while_the_server_is_frozen_and_go_on_when_it_thaws() {
    let server = Server::start(support::options()).unwrap();
    let url = server.create_database("frozen").unwrap();
    let store = PostgresEventStore::builder(&url).unwrap();
    let store = store.pool_size(8).connect().await.unwrap();
    open_accounts(&store).await;
    let session = connect(&url).await;
    let set = async |sql: &str| {
        session.batch_execute(sql).await.unwrap();
        session
            .batch_execute("SELECT pg_reload_conf()")
            .await
            .unwrap();
    };
    set("ALTER SYSTEM SET default_transaction_read_only = on").await;
    eventually("the database is frozen", async || {
        append_one(&store).await.is_err()
    })
    .await;
    let error = append_one(&store).await.unwrap_err();
    assert!(error.is_retriable(), "{error:?}");
    let frozen_at = store.safe_position().await.unwrap();

    let waiting = tokio::spawn({
        let store = store.clone();
        async move { transfers(&store, 2).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    assert_eq!(store.safe_position().await.unwrap(), frozen_at);
    set("ALTER SYSTEM RESET default_transaction_read_only").await;
    let thawed = Instant::now();
    let [accepted, ..] = support::in_time("transfers", waiting).await.unwrap();
    println!(
        "client: 32 commands after a freeze took {:?}",
        thawed.elapsed()
    );
    check_books(&store, accepted).await;
}
