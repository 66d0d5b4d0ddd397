//! Several servers in a URL, and standbys to read from.

use std::time::{Duration, Instant};

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    EventStore, EventSubscription, PostgresEventStore, ReadAll, ReadStream, ReadStreams, Subscribe,
};
use eventcore_harness::Server;

use super::bank::{check_books, open_accounts, transfers};
use super::{append, stream};
use crate::support::{self, PATIENCE, connect, eventually, in_time};

/// A URL that lists these servers in this order.
fn url(servers: &[&Server], database: &str, target: &str) -> String {
    let folders = servers
        .iter()
        .map(|server| server.socket_folder().display());
    let folders: Vec<_> = folders.map(|folder| folder.to_string()).collect();
    let folders = folders.join(",");
    format!(
        "postgresql://postgres@/{database}?host={folders}&port=5432&target_session_attrs={target}"
    )
}

fn pair(database: &str) -> (Server, Server) {
    let primary = Server::start(support::options()).unwrap();
    primary.create_database(database).unwrap();
    let standby = primary.standby().unwrap();
    (primary, standby)
}

async fn append_one(
    store: &PostgresEventStore,
) -> Result<eventcore::Position, eventcore::StoreError> {
    let done = store.append(&append(&[("s", Unchecked)])).await?;
    Ok(done.last_position.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_with_several_hosts_leads_to_the_one_that_is_asked_for() {
    let (mut primary, standby) = pair("hosts");
    let open = async |target: &str| {
        let url = url(&[&standby, &primary], "hosts", target);
        let store = PostgresEventStore::builder(&url).unwrap();
        store.pool_size(4).build().unwrap()
    };
    let unknown = PostgresEventStore::builder(&url(&[&primary], "hosts", "master")).unwrap_err();
    assert!(unknown.is_malformed(), "{unknown:?}");
    for target in ["read-write", "primary"] {
        append_one(&open(target).await).await.expect(target);
    }
    for target in ["any", "standby", "read-only", "prefer-standby"] {
        let store = open(target).await;
        store.safe_position().await.expect(target);
        let refused = append_one(&store).await.expect_err(target);
        assert!(
            refused.is_retriable() && !refused.is_in_doubt(),
            "{target}: {refused:?}"
        );
    }
    let alone = PostgresEventStore::connect(&url(&[&primary], "hosts", "prefer-standby")).await;
    append_one(&alone.unwrap()).await.unwrap();
    let none = PostgresEventStore::connect(&url(&[&primary], "hosts", "standby")).await;
    let none = none.unwrap_err();
    assert!(none.is_retriable() && !none.is_in_doubt(), "{none:?}");
    assert!(format!("{none:?}").contains("a standby"), "{none:?}");

    let store = open("read-write").await;
    open_accounts(&store).await;
    let before = transfers(&store, 2).await;
    standby.catch_up_with(&primary).unwrap();
    primary.stop().unwrap();
    let commands = tokio::spawn({
        let store = store.clone();
        async move { transfers(&store, 2).await }
    });
    standby.promote().unwrap();
    let promoted = Instant::now();
    let after = in_time("transfers", commands).await.unwrap();
    println!(
        "client: 32 commands after a promotion took {:?}",
        promoted.elapsed()
    );
    check_books(&store, before[0] + after[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_go_to_a_standby_and_what_decides_and_writes_to_the_primary() {
    let (primary, standby) = pair("read_from");
    let store = PostgresEventStore::builder(&primary.url("read_from"))
        .unwrap()
        .read_from(&standby.url("read_from"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    open_accounts(&store).await;
    let first = append_one(&store).await.unwrap();
    assert!(store.wait_for(first, PATIENCE).await.unwrap());
    let seen = store.read_all(&ReadAll::new()).await.unwrap();
    assert_eq!(seen.len(), 5);

    // Events that the standby has not replayed are invisible to readers, but not to commands.
    let on_standby = connect(&standby.url("read_from")).await;
    on_standby
        .batch_execute("SELECT pg_wal_replay_pause()")
        .await
        .unwrap();
    eventually("replay is paused", async || {
        let state = "SELECT pg_get_wal_replay_pause_state() = 'paused'";
        let row = on_standby.query_typed_one(state, &[]).await;
        row.unwrap().get(0)
    })
    .await;
    let [accepted, ..] = transfers(&store, 2).await;
    let last = append_one(&store).await.unwrap();
    assert_eq!(store.read_all(&ReadAll::new()).await.unwrap().len(), 5);
    // A reader that has read further on another server waits for this one.
    let beyond = store.read_all(&ReadAll::new().after(last)).await.unwrap();
    assert!(beyond.is_empty());
    let one = ReadStream::new(stream("s"));
    assert_eq!(store.read_stream(&one).await.unwrap().len(), 1);
    let one = one.up_to_date();
    assert_eq!(store.read_stream(&one).await.unwrap().len(), 2);
    let several = ReadStreams::new([stream("s")]);
    let read = store.read_streams(&several).await.unwrap();
    assert_eq!(read.events.len(), 1);
    let read = store.read_streams(&several.up_to_date()).await.unwrap();
    assert_eq!(read.events.len(), 2);
    let waited = store.wait_for(last, Duration::from_millis(100)).await;
    assert!(!waited.unwrap());

    let mut subscription = store.subscribe(Subscribe::from_start());
    for event in &seen {
        let next = in_time("a subscription", subscription.next_event()).await;
        assert_eq!(next.unwrap(), *event);
    }
    on_standby
        .batch_execute("SELECT pg_wal_replay_resume()")
        .await
        .unwrap();
    assert!(store.wait_for(last, PATIENCE).await.unwrap());
    let all = store.read_all(&ReadAll::new()).await.unwrap();
    assert_eq!(all.len() as u64, 6 + 2 * accepted);
    check_books(&store, accepted).await;
    for event in &all[5..] {
        let next = in_time("a subscription", subscription.next_event()).await;
        assert_eq!(next.unwrap(), *event);
    }

    let mut latencies = Vec::new();
    for _ in 0..15 {
        let appended = append_one(&store).await.unwrap();
        let done = Instant::now();
        let next = in_time("a subscription", subscription.next_event()).await;
        assert_eq!(next.unwrap().position, appended);
        latencies.push(done.elapsed());
    }
    latencies.sort_unstable();
    println!(
        "client: from commit to seen on a standby, median {:?}",
        latencies[7]
    );
}
