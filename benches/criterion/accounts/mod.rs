//! Accounts in an in-memory store, for the benches that need something to read and to decide.

use eventcore::{
    Append, Event, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent, StreamId,
};
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    Deposited { cents: u64, reference: String },
    Withdrawn { cents: u64, reference: String },
}

impl AccountEvent {
    pub(crate) fn deposited(cents: u64) -> Self {
        Self::Deposited {
            cents,
            reference: "invoice 2026-11-001".to_owned(),
        }
    }
}

pub(crate) fn account(number: usize) -> StreamId {
    StreamId::new(format!("account-{number:06}")).expect("a name without control characters")
}

/// An append of `events` deposits to a stream in any state.
pub(crate) fn deposits(stream: &StreamId, events: usize) -> Append {
    let append = Append::new().stream(stream.clone(), ExpectedVersion::Unchecked);
    (0..events).fold(append, |append, _| {
        let event = NewEvent::encode(stream.clone(), &AccountEvent::deposited(100));
        append.event(event.expect("a deposit is JSON"))
    })
}

/// A store with `accounts` streams of `events` deposits each.
pub(crate) fn store(accounts: usize, events: usize) -> InMemoryEventStore {
    let store = InMemoryEventStore::new();
    for number in 0..accounts {
        now(store.append(&deposits(&account(number), events)));
    }
    store
}

/// What a store that never waits answers; a bench in which it fails would measure nothing.
pub(crate) fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    answer
        .now_or_never()
        .expect("the in-memory store answers at once")
        .expect("the store does what is asked")
}
