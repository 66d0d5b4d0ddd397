//! A database whose transactions keep one snapshot by default: everything in the client still
//! works.

use std::sync::{Arc, Mutex};

use eventcore::ExpectedVersion::Exactly;
use eventcore::{
    Consumer, Event, EventError, EventStore, HandlerError, Payload, PostgresEventStore,
    PostgresTransaction, ProcessId, ProcessManager, Projection, Reaction, StoredEvent,
    SubscriptionDefinition, SubscriptionName, SubscriptionStore, Trigger,
    run_process_manager_until_idle, run_projection_until,
};

use super::append;
use super::bank::{check_books, open_accounts, transfers};
use crate::support::{self, connect, eventually, in_time};

/// Any event.
#[derive(Debug)]
struct Anything;

impl Event for Anything {
    fn event_type(&self) -> &str {
        "Anything"
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Ok(serde_json::json!({}).into())
    }

    fn decode(_: &str, _: &Payload) -> Result<Self, EventError> {
        Ok(Self)
    }
}

/// Counts the events in a table.
struct Counting;

impl Projection<PostgresEventStore> for Counting {
    type Event = Anything;

    fn name(&self) -> &str {
        "counting"
    }

    async fn apply(
        &mut self,
        _: StoredEvent<Anything>,
        transaction: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        transaction
            .execute("UPDATE counted SET events = events + 1", &[])
            .await?;
        Ok(())
    }
}

/// Records the streams whose events it received.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl ProcessManager<PostgresEventStore> for Noting {
    type Event = Anything;
    type State = ();

    fn name(&self) -> &str {
        "noting"
    }

    fn process_of(&self, event: &StoredEvent<Anything>) -> Option<ProcessId> {
        let is_ours = event.stream_id.as_str().starts_with("s");
        is_ours.then(|| event.stream_id.as_str().parse().unwrap())
    }

    fn react(&self, (): (), trigger: Trigger<'_, Anything>, _: &mut Reaction<PostgresEventStore>) {
        if let Trigger::Event(event) = trigger {
            self.0.lock().unwrap().push(event.stream_id.to_string());
        }
    }
}

async fn everything_works(database: &str, level: &str, pooled: bool) {
    let url = support::database(database);
    let session = connect(&url).await;
    let set = format!(
        "ALTER DATABASE {database} SET default_transaction_isolation = '{level}';
         CREATE TABLE counted (events bigint); INSERT INTO counted VALUES (0)"
    );
    session.batch_execute(&set).await.unwrap();
    let store = PostgresEventStore::builder(&url).unwrap();
    let store = store.transaction_pooling(pooled).connect().await.unwrap();
    open_accounts(&store).await;
    let [accepted, ..] = transfers(&store, 1).await;
    check_books(&store, accepted).await;
    for n in 0..5 {
        let one = append(&[(&format!("s{n}"), Exactly(0))]);
        store.append(&one).await.unwrap();
    }

    let name = SubscriptionName::new("sub").unwrap();
    let definition =
        SubscriptionDefinition::new().filter(eventcore::Filter::all().stream_prefix("s"));
    assert!(store.create_subscription(&name, &definition).await.unwrap());
    assert!(!store.create_subscription(&name, &definition).await.unwrap());
    store.pause_subscription(&name).await.unwrap();
    store.resume_subscription(&name).await.unwrap();
    let handled = Arc::new(Mutex::new(Vec::new()));
    let consumers: Vec<_> = ["a", "b"]
        .into_iter()
        .map(|consumer| {
            let consumer = Consumer::<Anything, _>::new(
                store.clone(),
                name.clone(),
                consumer.parse().unwrap(),
            );
            let handled = Arc::clone(&handled);
            tokio::spawn(consumer.run(move |event: StoredEvent<Anything>| {
                handled.lock().unwrap().push(event.stream_id.to_string());
                async { Ok::<(), HandlerError>(()) }
            }))
        })
        .collect();
    eventually("all is handled", async || {
        handled.lock().unwrap().len() == 5
    })
    .await;
    for consumer in consumers {
        assert!(!consumer.is_finished());
        consumer.abort();
    }
    store.reset_subscription(&name, 0.into()).await.unwrap();
    store.drop_subscription(&name).await.unwrap();

    let last = store.safe_position().await.unwrap();
    let (mut one, mut two) = (Counting, Counting);
    // Two runners take turns: one waits for the other, and must then see what the other did.
    let (one, two) = tokio::join!(
        in_time("a projection", run_projection_until(&store, &mut one, last)),
        in_time("a projection", run_projection_until(&store, &mut two, last))
    );
    one.unwrap();
    two.unwrap();
    let events = "SELECT events = (SELECT count(*) FROM eventcore.events) FROM counted";
    let row = session.query_typed_one(events, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0), "each event counts once");

    let noting = Noting::default();
    let run = run_process_manager_until_idle(&store, &noting);
    in_time("a process manager", run).await.unwrap();
    let mut told = noting.0.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, ["s0", "s1", "s2", "s3", "s4"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_where_repeatable_read_is_the_default() {
    everything_works("repeatable", "repeatable read", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_works_where_serializable_is_the_default_also_through_a_pooler() {
    everything_works("serializable", "serializable", true).await;
}
