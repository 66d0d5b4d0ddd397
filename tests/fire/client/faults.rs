//! Cut connections, dropped calls, and crashing servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use eventcore::ExpectedVersion::Exactly;
use eventcore::{
    EventStore, EventSubscription, Filter, PostgresEventStore, StreamVersion, Subscribe,
};
use eventcore_harness::Server;

use super::append;
use super::bank::{check_books, open_accounts, transfers};
use tokio::task::JoinHandle;

use crate::support::{self, PATIENCE, Random, connect, in_time};

/// Terminates one of the client's connections from time to time.
pub(super) struct Cutter {
    stop: Arc<AtomicBool>,
    task: JoinHandle<u64>,
}

impl Cutter {
    /// At most one connection in this many microseconds.
    pub(super) fn start(url: &str, every: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(cut_connections(url.to_owned(), every, Arc::clone(&stop)));
        Self { stop, task }
    }

    /// How many connections it has terminated.
    pub(super) async fn end(self) -> u64 {
        self.stop.store(true, SeqCst);
        self.task.await.unwrap()
    }
}

async fn cut_connections(url: String, every: u64, stop: Arc<AtomicBool>) -> u64 {
    let session = connect(&url).await;
    let mut random = Random::new();
    let mut count = 0;
    while !stop.load(SeqCst) {
        let sql = "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'eventcore'
                    ORDER BY random() LIMIT 1) AS victim";
        count += session.query_typed(sql, &[]).await.unwrap().len() as u64;
        // More and more slowly: on a busy machine the client would otherwise make no progress.
        random.nap(every << (count / 150).min(6)).await;
    }
    count
}

/// An append may be in progress when its connection dies; execute sends it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_lose_no_transfer_and_write_none_twice() {
    let url = support::database("lost_answers");
    let store = PostgresEventStore::builder(&url)
        .unwrap()
        .pool_size(16)
        .connect()
        .await
        .unwrap();
    open_accounts(&store).await;
    let cutter = Cutter::start(&url, 8_000);
    let [accepted, rejected, attempts] = transfers(&store, 15).await;
    let cut = cutter.end().await;
    check_books(&store, accepted).await;
    println!(
        "client: {accepted} transfers in {attempts} attempts, {rejected} rejected, {} connections cut",
        cut
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_survives_the_loss_of_its_connections_with_each_event_once_in_order() {
    let url = support::database("subscription");
    let store = PostgresEventStore::connect(&url).await.unwrap();
    let cutter = Cutter::start(&url, 60_000);
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let url = url.clone();
            tokio::spawn(async move {
                // Not through the client's connections, which are cut.
                let (mut session, mut random) = (connect(&url).await, Random::new());
                for _ in 0..100 {
                    let transaction = session.transaction().await.unwrap();
                    let one = support::Append::one(&format!("s{}", n % 3), None);
                    one.send(&transaction).await.unwrap();
                    random.nap(8_000).await;
                    transaction.commit().await.unwrap();
                }
            })
        })
        .collect();
    let mut subscriptions = Vec::new();
    for filter in [Filter::all(), Filter::all().stream_prefix("s0")] {
        let mut subscription =
            store.subscribe(Subscribe::from_start().filter(filter.clone()).page(7));
        let wanted = if filter == Filter::all() { 400 } else { 200 };
        subscriptions.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < wanted {
                let next = tokio::time::timeout(PATIENCE, subscription.next_event()).await;
                seen.push(next.expect("no next event").unwrap());
            }
            seen
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let session = connect(&url).await;
    let truth = support::truth(&*session).await;
    for (subscription, prefix) in subscriptions.into_iter().zip(["s", "s0"]) {
        let seen = in_time("a subscription", subscription).await.unwrap();
        let seen: Vec<_> = seen
            .iter()
            .map(|event| event.position.get() as i64)
            .collect();
        let wanted = truth
            .iter()
            .filter(|event| event.stream.starts_with(prefix));
        assert_eq!(seen, wanted.map(|event| event.position).collect::<Vec<_>>());
    }
    let cut = cutter.end().await;
    println!(
        "client: a subscription of {} events, {} connections cut",
        truth.len(),
        cut
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_that_are_dropped_on_the_way_and_sent_again_are_written_once() {
    let url = support::database("dropped");
    let store = PostgresEventStore::builder(&url)
        .unwrap()
        .pool_size(4)
        .connect()
        .await
        .unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut random, mut repeated) = (Random::new(), 0);
                let name = format!("s{n}");
                for version in 0..40 {
                    let append = append(&[(&name, Exactly(version))]);
                    let mut longest = 8_000;
                    let done = loop {
                        let limit = Duration::from_micros(random.below(longest));
                        // A busy machine takes longer.
                        longest += 1_000;
                        match tokio::time::timeout(limit, store.append(&append)).await {
                            Ok(Ok(done)) => break done,
                            // Connections that nothing waits for any more add up to many for a busy
                            // server.
                            Ok(Err(error)) => assert!(error.is_retriable(), "{error:?}"),
                            Err(_dropped) => {}
                        }
                    };
                    assert_eq!(done.versions, [StreamVersion::new(version + 1)]);
                    repeated += usize::from(done.repeated);
                }
                repeated
            })
        })
        .collect();
    let mut repeated = 0;
    for task in tasks {
        repeated += in_time("appends", task).await.unwrap();
    }
    assert_eq!(support::truth(&*connect(&url).await).await.len(), 8 * 40);
    println!("client: {repeated} of 320 appends had been written when they were dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_and_commands_survive_crashes_of_the_server() {
    let mut server = Server::start(support::options()).unwrap();
    let url = server.create_database("crashes").unwrap();
    let store = PostgresEventStore::connect(&url).await.unwrap();
    open_accounts(&store).await;
    let mut subscription = store.subscribe(Subscribe::from_start().page(5));
    let stop = Arc::new(AtomicBool::new(false));
    let commands = tokio::spawn({
        let (store, stop) = (store.clone(), stop.clone());
        async move {
            let mut accepted = 0;
            while !stop.load(SeqCst) {
                accepted += transfers(&store, 1).await[0];
            }
            accepted
        }
    });
    let mut seen = Vec::new();
    for crash in 0..3 {
        let goal = seen.len() + 60;
        while seen.len() < goal {
            let next = tokio::time::timeout(PATIENCE, subscription.next_event()).await;
            seen.push(next.expect("no next event").unwrap().position.get() as i64);
        }
        match crash {
            0 => server.crash().unwrap(),
            1 => server.kill_postmaster_9().unwrap(),
            _ => server.stop().unwrap(),
        }
        server.start_again().unwrap();
    }
    stop.store(true, SeqCst);
    let accepted = in_time("commands", commands).await.unwrap();
    check_books(&store, accepted).await;
    let truth = support::truth(&*connect(&url).await).await;
    while seen.len() < truth.len() {
        let next = tokio::time::timeout(PATIENCE, subscription.next_event()).await;
        seen.push(next.expect("no next event").unwrap().position.get() as i64);
    }
    assert_eq!(
        seen,
        truth.iter().map(|event| event.position).collect::<Vec<_>>()
    );
    println!(
        "client: {accepted} transfers through 3 crashes, {} events subscribed to",
        seen.len()
    );
}
