//! The Rust client: both stores give the same answers, and neither conflicts nor lost connections
//! lose or repeat an event.

mod answers;
mod bank;
mod cached;
mod consumers;
mod diverged;
mod faults;
mod hosts;
mod isolation;
mod pooler;
mod switch_over;
mod unconfirmed;
mod values;

use eventcore::{Append, EventType, ExpectedVersion, NewEvent, StreamId};
use serde_json::{Value, json};

fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

fn event(name: &str, event_type: &str, payload: Value) -> NewEvent {
    NewEvent::new(stream(name), EventType::new(event_type).unwrap(), payload)
}

/// An append of one event to each of these streams.
fn append(streams: &[(&str, ExpectedVersion)]) -> Append {
    streams
        .iter()
        .fold(Append::new(), |append, (name, expected)| {
            append
                .stream(stream(name), *expected)
                .event(event(name, "Happened", json!({"n": 1})))
        })
}
