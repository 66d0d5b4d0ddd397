//! Helpers for the tests of the contract: short ways to make streams, appends and reads.

use std::sync::LazyLock;
use std::time::Duration;

use eventcore::ExpectedVersion::{self, Unchecked};
use eventcore::{
    Append, ConsumerName, Event, EventStore, EventType, LeasedBatch, NewEvent, Position,
    ReadStream, RecordedEvent, StreamId, SubscriptionDefinition, SubscriptionName,
    SubscriptionStore,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How long a store may take to report something that has happened.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An event with a number. An event of another type or without a number cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Event)]
pub(crate) struct Counted(pub(crate) u64);

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

pub(crate) fn event_type(name: &str) -> EventType {
    EventType::new(name).unwrap()
}

/// The name of the subscription of every test.
pub(crate) fn subscription() -> &'static SubscriptionName {
    static NAME: LazyLock<SubscriptionName> = LazyLock::new(|| "mails".parse().unwrap());
    &NAME
}

pub(crate) async fn create<S: SubscriptionStore>(store: &S, definition: &SubscriptionDefinition) {
    let created = store.create_subscription(subscription(), definition);
    assert!(created.await.unwrap());
}

pub(crate) fn consumer(name: &str) -> ConsumerName {
    ConsumerName::new(name).unwrap()
}

/// Appends `Counted(n)` to a stream and returns its position.
pub(crate) async fn add(store: &impl EventStore, name: &str, n: u64) -> Position {
    add_as(store, name, "Counted", json!(n)).await
}

pub(crate) async fn add_as(
    store: &impl EventStore,
    name: &str,
    as_type: &str,
    payload: Value,
) -> Position {
    let event = NewEvent::new(stream(name), event_type(as_type), payload);
    let append = Append::new().stream(stream(name), Unchecked).event(event);
    store.append(&append).await.unwrap().last_position.unwrap()
}

/// Polls without waiting.
pub(crate) async fn poll<S: SubscriptionStore>(store: &S, max_events: u32) -> Option<LeasedBatch> {
    let name = consumer("tester");
    let polled = store.poll_subscription(subscription(), &name, max_events, Duration::ZERO);
    polled.await.unwrap()
}

/// `stream:n#attempt` of each event.
pub(crate) fn shown(batch: &LeasedBatch) -> Vec<String> {
    let events = batch.events.iter();
    events
        .map(|delivered| {
            let (event, attempt) = (&delivered.event, delivered.attempt);
            format!("{}:{}#{attempt}", event.stream_id, event.payload)
        })
        .collect()
}

/// The same for the events of a poll; empty if there are none.
pub(crate) async fn polled<S: SubscriptionStore>(store: &S) -> Vec<String> {
    let batch = poll(store, 100).await;
    batch.as_ref().map(shown).unwrap_or_default()
}

/// `Counted(n)` for a stream.
pub(crate) fn event(name: &str, n: u64) -> NewEvent {
    NewEvent::new(stream(name), event_type("Counted"), json!(n))
}

/// The same event with another payload.
pub(crate) fn with_payload(event: &NewEvent, payload: Value) -> NewEvent {
    let mut other = NewEvent::new(event.stream_id.clone(), event.event_type.clone(), payload);
    other.event_id = event.event_id;
    other.metadata = event.metadata.clone();
    other
}

/// An append that declares these streams with these expected versions.
pub(crate) fn declare(streams: &[(&str, ExpectedVersion)]) -> Append {
    let declared = streams.iter();
    declared.fold(Append::new(), |append, (name, expected)| {
        append.stream(stream(name), *expected)
    })
}

/// All events of a stream.
pub(crate) async fn read(store: &impl EventStore, name: &str) -> Vec<RecordedEvent> {
    let read = ReadStream::new(stream(name));
    store.read_stream(&read).await.unwrap()
}

/// `stream@version:payload` of each event.
pub(crate) fn told(events: &[RecordedEvent]) -> Vec<String> {
    let events = events.iter();
    events
        .map(|event| format!("{}@{}:{}", event.stream_id, event.version, event.payload))
        .collect()
}
