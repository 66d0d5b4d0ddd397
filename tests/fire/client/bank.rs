//! `execute` with many tasks on few accounts: money is neither made nor lost.

use std::time::Duration;

use eventcore::ExpectedVersion::Exactly;
use eventcore::{
    Append, Command, CommandError, CommandLogic, CorrelationId, Event, EventError, EventStore,
    EventSubscription, ExecuteOptions, InMemoryEventStore, NewEvent, NewEvents, Payload,
    PostgresEventStore, ReadStreams, RetryPolicy, StoredEvent, StreamId, Streams, emit,
    execute_with, require,
};
use serde_json::json;

use super::stream;
use crate::support::{self, Random, in_time};

/// Money moved to or from an account.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moved(i64);

impl Event for Moved {
    fn event_type(&self) -> &str {
        "Moved"
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Ok(json!(self.0).into())
    }

    fn decode(event_type: &str, payload: &Payload) -> Result<Self, EventError> {
        payload
            .decode()
            .map(Self)
            .map_err(|error| EventError::decode(event_type, error))
    }
}

#[derive(Command)]
pub(super) struct Transfer {
    #[stream]
    pub(super) from: StreamId,
    #[stream]
    pub(super) to: StreamId,
    pub(super) amount: i64,
}

impl CommandLogic for Transfer {
    /// The balance of `from`.
    type State = i64;
    type Event = Moved;

    fn apply(&self, balance: i64, event: &StoredEvent<Moved>) -> i64 {
        if event.stream_id == self.from {
            balance + event.event.0
        } else {
            balance
        }
    }

    fn handle(&self, balance: i64, to: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(self.amount <= balance, "there is only {balance}");
        let mut events = NewEvents::new();
        emit!(events, to.from, Moved(-self.amount));
        emit!(events, to.to, Moved(self.amount));
        Ok(events)
    }
}

const ACCOUNTS: u64 = 4;
const START: i64 = 200;

pub(super) async fn open_accounts<S: EventStore>(store: &S) {
    for n in 0..ACCOUNTS {
        let id = format!("account-{n}");
        let opened = Append::new()
            .stream(stream(&id), Exactly(0))
            .event(NewEvent::encode(stream(&id), &Moved(START)).unwrap());
        store.append(&opened).await.unwrap();
    }
}

/// 16 tasks move money between a few accounts. Returns the numbers of accepted commands, rejected
/// commands, and attempts.
pub(super) async fn transfers<S: EventSubscription + Clone + 'static>(
    store: &S,
    each: usize,
) -> [u64; 3] {
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut random, mut counts) = (Random::new(), [0, 0, 0]);
                // As often as it takes: `in_time` ends a test that waits in vain.
                let patient = RetryPolicy::default()
                    .attempts(u32::MAX)
                    .cap(Duration::from_millis(50));
                for _ in 0..each {
                    let from = random.below(ACCOUNTS);
                    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
                    let transfer = Transfer {
                        from: stream(&format!("account-{from}")),
                        to: stream(&format!("account-{to}")),
                        amount: 1 + random.below(120) as i64,
                    };
                    let options = ExecuteOptions::new()
                        .retry(patient.clone())
                        .correlation_id(CorrelationId::new());
                    match execute_with(&store, &transfer, &options).await {
                        Ok(done) => {
                            counts[0] += 1;
                            counts[2] += u64::from(done.attempts);
                        }
                        Err(error) => {
                            assert!(error.is_business_rule(), "{error:?}");
                            counts[1] += 1;
                        }
                    }
                }
                counts
            })
        })
        .collect();
    let mut counts = [0, 0, 0];
    for task in tasks {
        let one = in_time("transfers", task).await.unwrap();
        counts
            .iter_mut()
            .zip(one)
            .for_each(|(sum, one)| *sum += one);
    }
    counts
}

/// No balance was ever below zero, the sum is unchanged, and each transfer exists once.
pub(super) async fn check_books<S: EventStore>(store: &S, accepted: u64) {
    let streams = (0..ACCOUNTS).map(|n| stream(&format!("account-{n}")));
    let read = ReadStreams::new(streams);
    // A connection of the pool may have been lost since its last use.
    let read = loop {
        match store.read_streams(&read).await {
            Err(error) if error.is_retriable() => {}
            read => break read.unwrap(),
        }
    };
    assert_eq!(read.events.len() as u64, ACCOUNTS + 2 * accepted);
    let mut balances = std::collections::HashMap::<_, i64>::new();
    for event in &read.events {
        let balance = balances.entry(event.stream_id.clone()).or_default();
        *balance += event.payload.decode::<i64>().unwrap();
        assert!(*balance >= 0, "{} is overdrawn", event.stream_id);
    }
    assert_eq!(balances.values().sum::<i64>(), START * ACCOUNTS as i64);
    let mut correlated = std::collections::HashMap::<_, usize>::new();
    for event in read.events.iter().filter(|event| event.version.get() > 1) {
        *correlated.entry(event.correlation_id).or_default() += 1;
    }
    assert!(
        correlated.values().all(|events| *events == 2),
        "a transfer was written twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn execute_keeps_the_sum_on_few_accounts_and_retries_conflicts() {
    let url = support::database("accounts");
    let postgres = PostgresEventStore::builder(&url)
        .unwrap()
        .pool_size(16)
        .connect()
        .await
        .unwrap();
    open_accounts(&postgres).await;
    let [accepted, rejected, attempts] = transfers(&postgres, 12).await;
    check_books(&postgres, accepted).await;
    assert!(attempts > accepted, "no conflict was ever retried");
    println!("client: {accepted} transfers in {attempts} attempts, {rejected} rejected");

    let in_memory = InMemoryEventStore::new();
    open_accounts(&in_memory).await;
    let [accepted, ..] = transfers(&in_memory, 50).await;
    check_books(&in_memory, accepted).await;
}
