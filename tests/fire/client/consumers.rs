//! Consumers and projections whose connections are cut. What they write in the transaction that
//! acknowledges takes effect once, in the order of each stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{
    Consumer, ConsumerOptions, Delivery, Event, EventError, HandlerError, Payload, Position,
    PostgresEventStore, PostgresTransaction, Projection, ProjectionName, ProjectionOptions,
    ProjectionStore, RetryPolicy, StoredEvent, SubscriptionDefinition, SubscriptionStore,
    run_projection, run_projection_with,
};
use eventcore_harness::Server;
use serde_json::Value;

use super::faults::Cutter;
use crate::support::{self, PATIENCE, Random, connect, in_time};

const EVENTS: i64 = 300;
const STREAMS: i64 = 6;

/// Any event.
struct Anything;

impl Event for Anything {
    fn event_type(&self) -> &str {
        "Anything"
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Ok(Value::Bool(true).into())
    }

    fn decode(_: &str, _: &Payload) -> Result<Self, EventError> {
        Ok(Self)
    }
}

/// A database with a table of handled events, and a store whose connections are cut.
async fn prepared(url: &str) -> PostgresEventStore {
    let session = connect(url).await;
    session
        .batch_execute("CREATE TABLE seen (id bigserial, stream_id text, version bigint)")
        .await
        .unwrap();
    PostgresEventStore::connect(url).await.unwrap()
}

/// Appends to a few streams, on a connection that is not cut.
async fn write(url: String) {
    let (session, mut random) = (connect(&url).await, Random::new());
    for n in 0..EVENTS {
        let one = support::Append::one(&format!("s{}", n % STREAMS), None);
        one.send(&*session).await.unwrap();
        random.nap(4_000).await;
    }
}

/// Waits until this many events are handled. Then each must be there once, in the order of its
/// stream.
async fn check_seen(url: &str) {
    let session = connect(url).await;
    let all = async {
        loop {
            let count = session
                .query_typed("SELECT 1 FROM seen", &[])
                .await
                .unwrap()
                .len();
            if count >= EVENTS as usize {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(4 * PATIENCE, all)
        .await
        .expect("not all is seen");
    let sql = "SELECT stream_id, array_agg(version ORDER BY id) FROM seen GROUP BY 1";
    let rows = session.query_typed(sql, &[]).await.unwrap();
    assert_eq!(rows.len() as i64, STREAMS);
    for row in rows {
        let versions: Vec<i64> = row.get(1);
        let wanted: Vec<i64> = (1..=EVENTS / STREAMS).collect();
        assert_eq!(versions, wanted, "{}", row.get::<_, &str>(0));
    }
}

const SEEN: &str = "INSERT INTO seen (stream_id, version) VALUES ($1, $2)";

/// Handles an event and acknowledges it in one transaction, on a connection that may be cut.
async fn take_in(
    session: &mut tokio_postgres::Client,
    delivery: Delivery<Anything, PostgresEventStore>,
) -> Result<(), HandlerError> {
    let version = i64::try_from(delivery.version.get())?;
    let transaction = session.transaction().await?;
    transaction
        .execute(SEEN, &[&delivery.stream_id.as_str(), &version])
        .await?;
    delivery.ack_in(&transaction).await?;
    transaction.commit().await?;
    delivery.committed();
    Ok(())
}

/// A session that is cut like the others.
async fn session(url: &str) -> tokio_postgres::Client {
    let mut config: tokio_postgres::Config = url.parse().unwrap();
    config.application_name("eventcore");
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn consume(store: PostgresEventStore, url: String, name: String) {
    let soon = RetryPolicy::default().attempts(u32::MAX);
    let options = ConsumerOptions::new().batch(7).retry_delay(soon);
    let subscription = "seen".parse().unwrap();
    let name = name.parse().unwrap();
    let mut consumer = Consumer::with_options(store, subscription, name, options);
    let mut writing = session(&url).await;
    loop {
        let delivery = consumer.next_delivery().await.unwrap();
        if !delivery.is_void() && take_in(&mut writing, delivery).await.is_err() {
            writing = session(&url).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_acknowledge_in_their_transactions_survive_the_loss_of_connections() {
    let url = support::database("consumers");
    let store = prepared(&url).await;
    let definition = SubscriptionDefinition::new()
        .retry_limit(100_000)
        .lease(Duration::from_secs(2));
    let name = "seen".parse().unwrap();
    assert!(store.create_subscription(&name, &definition).await.unwrap());
    let cutter = Cutter::start(&url, 40_000);
    let consumers: Vec<_> = (0..3)
        .map(|n| tokio::spawn(consume(store.clone(), url.clone(), format!("c{n}"))))
        .collect();
    in_time("writing", tokio::spawn(write(url.clone())))
        .await
        .unwrap();
    check_seen(&url).await;
    for consumer in &consumers {
        assert!(!consumer.is_finished(), "a consumer has stopped");
        consumer.abort();
    }
    let cut = cutter.end().await;
    println!(
        "client: {EVENTS} events consumed by 3, {} connections cut",
        cut
    );
}

/// Acknowledges separately, so that the answer may be lost, and records what it was given.
async fn acknowledge(store: PostgresEventStore, given: Given, name: String) {
    let options = ConsumerOptions::new().batch(7);
    let (subscription, name) = ("given".parse().unwrap(), name.parse().unwrap());
    let mut consumer = Consumer::<Anything, _>::with_options(store, subscription, name, options);
    loop {
        let delivery = consumer.next_delivery().await.unwrap();
        let stands_for = (delivery.stream_id.to_string(), delivery.version.get());
        given.lock().unwrap().push(stands_for);
        match delivery.version.get() % 2 {
            0 => drop(delivery.ack().await.unwrap()),
            _ => delivery.handled(),
        }
    }
}

/// Stream and version of what consumers were given, in this order.
type Given = Arc<Mutex<Vec<(String, u64)>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledgements_whose_answer_is_lost_are_sent_again_and_no_event_is_left_behind() {
    let url = support::database("acknowledged");
    let store = PostgresEventStore::connect(&url).await.unwrap();
    let definition = SubscriptionDefinition::new().lease(Duration::from_secs(2));
    let name = "given".parse().unwrap();
    assert!(store.create_subscription(&name, &definition).await.unwrap());
    let cutter = Cutter::start(&url, 40_000);
    let given = Given::default();
    let consumers: Vec<_> = (0..3)
        .map(|n| tokio::spawn(acknowledge(store.clone(), given.clone(), format!("c{n}"))))
        .collect();
    in_time("writing", tokio::spawn(write(url.clone())))
        .await
        .unwrap();
    let session = connect(&url).await;
    let done = async {
        let sql = "SELECT 1 FROM eventcore.stat_subscriptions WHERE checkpoint < safe_position";
        while !session.query_typed(sql, &[]).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(4 * PATIENCE, done)
        .await
        .expect("not all is acknowledged");
    for consumer in &consumers {
        assert!(!consumer.is_finished(), "a consumer has stopped");
        consumer.abort();
    }
    let cut = cutter.end().await;
    // At least once; the first deliveries of a stream's events are in order.
    let mut last = std::collections::HashMap::<String, u64>::new();
    for (stream, version) in given.lock().unwrap().iter() {
        let last = last.entry(stream.clone()).or_default();
        assert!(*version <= *last + 1, "{version} after {last} in {stream}");
        *last = (*last).max(*version);
    }
    assert_eq!(last.values().sum::<u64>(), EVENTS as u64);
    println!(
        "client: {EVENTS} events given {} times, {} connections cut",
        given.lock().unwrap().len(),
        cut
    );
}

/// Records the events that it sees.
struct Seen;

impl Projection<PostgresEventStore> for Seen {
    type Event = Anything;

    fn name(&self) -> &str {
        "seen"
    }

    async fn apply(
        &mut self,
        event: StoredEvent<Anything>,
        transaction: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        let version = i64::try_from(event.version.get())?;
        transaction
            .execute(SEEN, &[&event.stream_id.as_str(), &version])
            .await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn projections_survive_the_loss_of_connections_and_let_each_event_take_effect_once() {
    let url = support::database("projections");
    let store = prepared(&url).await;
    let cutter = Cutter::start(&url, 30_000);
    // Small batches, retried soon: a large one would not survive long enough.
    let soon = RetryPolicy::default()
        .attempts(u32::MAX)
        .cap(Duration::from_millis(20));
    let options = ProjectionOptions::new().batch(10).retry(soon);
    let runners: Vec<_> = (0..2)
        .map(|_| {
            let (store, options) = (store.clone(), options.clone());
            tokio::spawn(async move { run_projection_with(&store, &mut Seen, &options).await })
        })
        .collect();
    in_time("writing", tokio::spawn(write(url.clone())))
        .await
        .unwrap();
    check_seen(&url).await;
    for runner in &runners {
        assert!(!runner.is_finished(), "a runner has stopped");
        runner.abort();
    }
    let cut = cutter.end().await;
    println!(
        "client: {EVENTS} events projected by 2, {} connections cut",
        cut
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_survives_crashes_of_the_server() {
    let mut server = Server::start(support::options()).unwrap();
    let url = server.create_database("projected").unwrap();
    let store = prepared(&url).await;
    let runner = tokio::spawn({
        let store = store.clone();
        async move { run_projection(&store, &mut Seen).await }
    });
    let name = ProjectionName::new("seen").unwrap();
    for crash in 0..3 {
        let session = connect(&url).await;
        for n in 0..EVENTS / 3 {
            let one = support::Append::one(&format!("s{}", n % STREAMS), None);
            one.send(&*session).await.unwrap();
        }
        drop(session);
        match crash {
            0 => server.crash().unwrap(),
            1 => server.kill_postmaster_9().unwrap(),
            _ => server.stop().unwrap(),
        }
        server.start_again().unwrap();
    }
    let session = connect(&url).await;
    let one = support::Append::one("s0", None);
    one.send(&*session).await.unwrap();
    let truth = support::truth(&*session).await;
    let last = Position::new(truth.last().unwrap().position.try_into().unwrap());
    let arrived = async {
        // The first use of a connection that the crash has closed fails.
        while store.checkpoint(&name).await.unwrap_or_default() < last {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived)
        .await
        .expect("it does not arrive");
    assert!(!runner.is_finished(), "the projection has stopped");
    runner.abort();
    let sql = "SELECT stream_id, version FROM seen ORDER BY id";
    let seen = session.query_typed(sql, &[]).await.unwrap();
    let seen: Vec<(&str, i64)> = seen.iter().map(|row| (row.get(0), row.get(1))).collect();
    let wanted = truth
        .iter()
        .map(|event| (event.stream.as_str(), event.version));
    assert_eq!(seen, wanted.collect::<Vec<_>>());
}
