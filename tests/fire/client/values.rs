//! JSON that PostgreSQL accepts and Rust does not: numbers that no type of Rust holds, and values
//! that are nested deeper than serde_json allows. Such an event is read like any other, and fails
//! where it is decoded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    Append, Consumer, ConsumerOptions, Event, EventStore, EventSubscription, FollowError,
    HandlerError, Metadata, NewEvent, OnUndecodable, PostgresEventStore, PostgresTransaction,
    ProcessId, ProcessManager, ProcessOptions, Projection, Reaction, ReadAll, ReadStream,
    RecordedEvent, RetryPolicy, StoredEvent, Subscribe, SubscriptionDefinition, SubscriptionName,
    SubscriptionStore, Trigger, run_process_manager_with, run_projection_until,
};
use serde::{Deserialize, Serialize};

use super::stream;
use crate::support::{self, connect, eventually, in_time};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
enum Seen {
    Counted { n: u64 },
}

/// Has more digits than a float can hold.
const LONG: &str = "0.12345678901234567890123456789";

/// A store with five events in five streams: s1 and s2 with metadata that cannot be decoded, s3 and
/// s4 with such a payload, and s5 with valid values.
async fn store(database: &str) -> (PostgresEventStore, String) {
    let url = support::database(database);
    let deep = format!("{}1{}", "[".repeat(130), "]".repeat(130));
    let events = [
        (r#"{"n":1}"#.to_owned(), r#"{"huge":1e400}"#.to_owned()),
        (r#"{"n":2}"#.to_owned(), format!(r#"{{"deep":{deep}}}"#)),
        (r#"{"n":1e400}"#.to_owned(), r#"{}"#.to_owned()),
        (format!(r#"{{"n":{deep}}}"#), r#"{}"#.to_owned()),
        (r#"{"n":5}"#.to_owned(), format!(r#"{{"long":{LONG}}}"#)),
    ];
    let session = connect(&url).await;
    for (n, (payload, metadata)) in (1..).zip(events) {
        let sql = format!(
            "SELECT eventcore_append('{{s{n}}}', '{{NULL}}', '{{s{n}}}', '{{Counted}}',
                                     ARRAY['{payload}'::jsonb], ARRAY['{metadata}'::jsonb])"
        );
        session.batch_execute(&sql).await.unwrap();
    }
    (PostgresEventStore::connect(&url).await.unwrap(), url)
}

async fn all(store: &PostgresEventStore) -> Vec<RecordedEvent> {
    store.read_all(&ReadAll::new()).await.unwrap()
}

/// The number of an event that can be decoded, or the stream's number of one that cannot.
fn number(read: Result<StoredEvent<Seen>, FollowError>) -> Result<u64, String> {
    match read {
        Ok(event) => {
            let Seen::Counted { n } = event.event;
            Ok(n)
        }
        Err(error) => {
            assert!(error.is_undecodable() && error.position().is_some());
            Err(error.stream_id().unwrap().to_string())
        }
    }
}

const READ: [Result<u64, &str>; 5] = [Ok(1), Ok(2), Err("s3"), Err("s4"), Ok(5)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_read_whatever_their_json_and_fail_where_they_are_decoded() {
    let (store, _) = store("odd_json_read").await;
    let events = all(&store).await;
    assert_eq!(events.len(), 5);
    let one = store.read_stream(&ReadStream::new(stream("s2"))).await;
    assert_eq!(one.unwrap(), events[1..2]);
    for event in &events[..2] {
        let metadata = event.metadata.as_ref().unwrap();
        assert!(metadata.decode::<serde_json::Value>().is_err());
        assert!(event.clone().decode::<Seen>().is_ok());
        let decoded = event.clone().decode_with::<Seen, serde_json::Value>();
        let error = decoded.unwrap_err();
        assert!(error.to_string().contains("metadata"), "{error}");
    }
    let mut untyped = store.subscribe(Subscribe::from_start().page(2));
    let mut typed = store.subscribe(Subscribe::from_start().page(2)).typed();
    for (event, expected) in events.iter().zip(READ) {
        let next = in_time("a subscription", untyped.next_event()).await;
        assert_eq!(next.unwrap(), *event);
        let next = in_time("a subscription", typed.next_event()).await;
        assert_eq!(number(next), expected.map_err(str::to_owned));
    }
}

#[tokio::test]
async fn no_digit_is_lost_when_an_event_is_read_and_written_again() {
    let (store, _) = store("odd_json_written").await;
    for event in all(&store).await.iter().take(5) {
        let to = stream(&format!("copy-of-{}", event.stream_id));
        let Some(metadata) = event.metadata.clone() else {
            panic!("there is metadata");
        };
        // Like a relay that goes through a text of its own.
        let text = serde_json::to_string(&(&event.payload, &metadata)).unwrap();
        let relayed: (eventcore::Payload, Metadata) = serde_json::from_str(&text).unwrap();
        assert_eq!(relayed, (event.payload.clone(), metadata));
        let copy = NewEvent::new(to.clone(), event.event_type.clone(), relayed.0);
        let append = Append::new()
            .stream(to.clone(), Unchecked)
            .event(copy.metadata(relayed.1));
        match store.append(&append).await {
            Ok(_) => {
                let copy = store.read_stream(&ReadStream::new(to)).await.unwrap();
                assert_eq!(copy[0].payload.as_str(), event.payload.as_str());
                assert_eq!(
                    copy[0].metadata.as_ref().unwrap().as_str(),
                    event.metadata.as_ref().unwrap().as_str()
                );
            }
            // Rust programs do not write metadata that they cannot decode.
            Err(error) => assert!(error.is_malformed() && event.stream_id == stream("s2")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_goes_on_and_what_it_cannot_decode_is_parked() {
    let (store, _) = store("odd_json_consumer").await;
    let name = SubscriptionName::new("odd").unwrap();
    let definition = SubscriptionDefinition::new().retry_limit(1);
    store.create_subscription(&name, &definition).await.unwrap();
    let soon = RetryPolicy::default().base(Duration::from_millis(1));
    let consumer = Consumer::<Seen, _>::with_options(
        store.clone(),
        name.clone(),
        "c".parse().unwrap(),
        ConsumerOptions::new().retry_delay(soon.attempts(u32::MAX)),
    );
    let handled = Arc::new(Mutex::new(Vec::new()));
    let running = tokio::spawn({
        let handled = Arc::clone(&handled);
        consumer.run(move |event: StoredEvent<Seen>| {
            let Seen::Counted { n } = event.event;
            // If a handler cannot decode an event, that is a failure like any other.
            let metadata = event.metadata.map(|metadata| metadata.as_str().len());
            handled.lock().unwrap().push((n, metadata.is_some()));
            async { Ok::<(), HandlerError>(()) }
        })
    });
    eventually("the rest is parked", async || {
        store.parked(&name, 0.into(), 10).await.unwrap().len() == 2
    })
    .await;
    assert!(!running.is_finished());
    running.abort();
    let parked = store.parked(&name, 0.into(), 10).await.unwrap();
    let parked: Vec<_> = parked
        .iter()
        .map(|parked| (parked.event.stream_id.as_str(), parked.reason.is_some()))
        .collect();
    assert_eq!(parked, [("s3", true), ("s4", true)]);
    let mut handled = handled.lock().unwrap().clone();
    handled.sort_unstable();
    assert_eq!(handled, [(1, true), (2, true), (5, true)]);
}

/// Counts in memory.
struct Counting {
    name: &'static str,
    seen: Vec<u64>,
    skipped: Vec<String>,
    on_undecodable: OnUndecodable,
}

impl Projection<PostgresEventStore> for Counting {
    type Event = Seen;

    fn name(&self) -> &str {
        self.name
    }

    fn undecodable(&mut self, error: &FollowError) -> OnUndecodable {
        self.skipped.push(error.stream_id().unwrap().to_string());
        self.on_undecodable
    }

    async fn apply(
        &mut self,
        event: StoredEvent<Seen>,
        _: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        let Seen::Counted { n } = event.event;
        self.seen.push(n);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_decides_what_becomes_of_an_event_that_it_cannot_decode() {
    let (store, _) = store("odd_json_projection").await;
    let events = all(&store).await;
    let mut counting = Counting {
        name: "skips",
        seen: Vec::new(),
        skipped: Vec::new(),
        on_undecodable: OnUndecodable::Skip,
    };
    let run = run_projection_until(&store, &mut counting, events[4].position);
    in_time("the projection", run).await.unwrap();
    assert_eq!(counting.seen, [1, 2, 5]);
    assert_eq!(counting.skipped, ["s3", "s4"]);

    let mut counting = Counting {
        name: "stops",
        seen: Vec::new(),
        skipped: Vec::new(),
        on_undecodable: OnUndecodable::Stop,
    };
    let run = run_projection_until(&store, &mut counting, events[4].position);
    let error = in_time("the projection", run).await.unwrap_err();
    assert!(error.is_undecodable());
    assert_eq!(error.position(), Some(events[2].position));
}

/// Records the events that it receives.
struct Noting(Mutex<Vec<u64>>);

impl ProcessManager<PostgresEventStore> for Noting {
    type Event = Seen;
    type State = ();

    fn name(&self) -> &str {
        "noting"
    }

    fn process_of(&self, event: &StoredEvent<Seen>) -> Option<ProcessId> {
        Some(event.stream_id.as_str().parse().unwrap())
    }

    fn react(&self, (): (), trigger: Trigger<'_, Seen>, _: &mut Reaction<PostgresEventStore>) {
        if let Trigger::Event(event) = trigger {
            let Seen::Counted { n } = event.event;
            self.0.lock().unwrap().push(n);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_manager_goes_on_and_what_it_cannot_decode_is_parked() {
    let (store, _) = store("odd_json_process").await;
    let manager = Arc::new(Noting(Mutex::default()));
    let running = tokio::spawn({
        let (store, manager) = (store.clone(), Arc::clone(&manager));
        async move {
            let soon = RetryPolicy::default().base(Duration::from_millis(1));
            let options = ProcessOptions::new()
                .retry_limit(1)
                .retry_delay(soon.attempts(u32::MAX));
            run_process_manager_with(&store, &*manager, &options).await
        }
    });
    let name = SubscriptionName::new("noting").unwrap();
    eventually("two are parked, and the rest is handled", async || {
        let parked = store.parked(&name, 0.into(), 10).await;
        let parked = parked.map_or(0, |parked| parked.len());
        parked == 2 && manager.0.lock().unwrap().len() >= 3
    })
    .await;
    assert!(!running.is_finished());
    running.abort();
    let mut told = manager.0.lock().unwrap().clone();
    told.sort_unstable();
    assert_eq!(told, [1, 2, 5]);
}
