//! The client behind PgBouncer in transaction mode, where two calls on a connection may run in two
//! sessions.

use std::error::Error;
use std::time::Duration;

use eventcore::ExpectedVersion::Unchecked;
use eventcore::postgres::Builder;
use eventcore::{
    EventId, EventStore, EventSubscription, InMemoryEventStore, PostgresEventStore, StoreError,
    Subscribe,
};
use eventcore_harness::PgBouncer;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::bank::{check_books, open_accounts, transfers};
use super::{answers, append};
use crate::support::{self, PATIENCE};

/// A pooler in front of a new database.
fn pooler(database: &str, connections: u32) -> PgBouncer {
    support::database(database);
    support::server().pgbouncer(connections).unwrap()
}

fn builder(pooler: &PgBouncer, database: &str) -> Builder {
    PostgresEventStore::builder(&pooler.url(database)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_behind_a_pooler_gives_the_same_answers() {
    let pooler = pooler("pooled_answers", 2);
    let pooled = builder(&pooler, "pooled_answers")
        .transaction_pooling(true)
        .poll_interval(Duration::from_secs(1));
    let pooled = pooled.connect().await.unwrap();
    let ids: Vec<_> = (0..16).map(|_| EventId::new()).collect();
    let in_memory = answers::run(&InMemoryEventStore::new(), &ids).await;
    let behind_pooler = answers::run(&pooled, &ids).await;
    for (memory, pooled) in in_memory.iter().zip(&behind_pooler) {
        assert_eq!(memory, pooled);
    }
    assert_eq!(in_memory.len(), behind_pooler.len());
}

/// Two stores with several connections each share fewer connections to the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_behind_a_pooler_share_few_connections_and_lose_no_transfer() {
    let pooler = pooler("pooled_accounts", 3);
    let store = || {
        let builder = builder(&pooler, "pooled_accounts").pool_size(8);
        builder.transaction_pooling(true).connect()
    };
    let (one, two) = (store().await.unwrap(), store().await.unwrap());
    open_accounts(&one).await;
    let (first, second) = tokio::join!(transfers(&one, 8), transfers(&two, 8));
    check_books(&one, first[0] + second[0]).await;
    let sessions = support::server()
        .psql(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = 'pooled_accounts' AND backend_type = 'client backend'",
        )
        .unwrap();
    assert!((1..=3).contains(&sessions.parse().unwrap()), "{sessions}");
}

#[tokio::test]
async fn a_subscription_behind_a_pooler_is_notified_at_once_through_a_connection_past_it() {
    let pooler = pooler("pooled_listen", 2);
    let past_it = support::server().url("pooled_listen");
    let store = builder(&pooler, "pooled_listen")
        .transaction_pooling(true)
        .poll_interval(Duration::from_secs(600))
        .listen_on(&past_it)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut subscription = store.subscribe(Subscribe::from_start());
    for _ in 0..5 {
        let one = append(&[("a", Unchecked)]);
        let (next, done) = tokio::join!(
            tokio::time::timeout(PATIENCE, subscription.next_event()),
            store.append(&one)
        );
        let event = next.expect("not told").unwrap();
        assert_eq!(Some(event.position), done.unwrap().last_position);
    }
}

/// The session with the prepared statements is replaced by another one. A pooler that tracks
/// prepared statements, as later versions can, hides that.
#[tokio::test]
async fn a_store_without_the_option_for_poolers_reports_what_is_wrong() {
    let pooler = pooler("pooled_untold", 1);
    let store = builder(&pooler, "pooled_untold").connect().await.unwrap();
    let admin = tokio_postgres::connect(&pooler.url("pgbouncer"), NoTls).await;
    let (admin, connection) = admin.unwrap();
    tokio::spawn(connection);
    admin.batch_execute("RECONNECT").await.unwrap();
    match store.safe_position().await {
        Ok(_) => assert!(tracks_statements(&admin).await),
        Err(error) => {
            let text = chain(&error);
            assert!(text.contains("transaction_pooling(true)"), "{text}");
            assert!(text.contains("prepared statement"), "{text}");
            assert!(!error.is_retriable());
        }
    }
}

/// Whether its version is 1.21 or later.
async fn tracks_statements(admin: &Client) -> bool {
    let answer = admin.simple_query("SHOW VERSION").await.unwrap();
    let version = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let minor = version.and_then(|version| version.split('.').nth(1)?.parse::<u32>().ok());
    minor.unwrap() >= 21
}

fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
