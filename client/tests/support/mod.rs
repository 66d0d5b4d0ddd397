//! Helpers for the tests of the store in memory: short ways to make streams, appends and reads.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use eventcore::{
    Append, Appended, EventStore, EventType, ExpectedVersion, InMemoryEventStore, NewEvent,
    StreamId,
};
use serde_json::json;

pub(crate) fn stream(id: &str) -> StreamId {
    StreamId::new(id).unwrap()
}

pub(crate) fn event_type(name: &str) -> EventType {
    EventType::new(name).unwrap()
}

pub(crate) fn event(stream_id: &str, n: u64) -> NewEvent {
    NewEvent::new(stream(stream_id), event_type("Counted"), json!({ "n": n }))
}

/// An append that declares these streams with these expected versions.
pub(crate) fn append(streams: &[(&str, ExpectedVersion)]) -> Append {
    streams
        .iter()
        .fold(Append::new(), |append, (id, expected)| {
            append.stream(stream(id), *expected)
        })
}

/// Appends one event to a stream, whatever its version is.
pub(crate) async fn add(store: &InMemoryEventStore, stream_id: &str, n: u64) -> Appended {
    let append = append(&[(stream_id, ExpectedVersion::Unchecked)]).event(event(stream_id, n));
    store.append(&append).await.unwrap()
}
