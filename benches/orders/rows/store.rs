//! The rows of the event store.

use eventcore::{EventStore, EventSubscription, ExpectedVersion, InMemoryEventStore, Subscribe};
use orders::domain::OrderId;
use orders::store::Store;

use super::samples::{append_of, events, one_order, order, plain_events, submitted_orders};
use super::{Row, now};
use crate::plain::{self, EventStore as _, Memory};

/// Encodes new events and appends them to an empty store of their own: in a growing store later
/// appends would not be the same work.
pub(super) fn append(name: &'static str, count: u32, expected: Option<u64>) -> Row {
    let (ours, theirs) = (events(0, count - 1), plain_events(0, count - 1));
    let version = expected.map_or(ExpectedVersion::Unchecked, ExpectedVersion::Exactly);
    Row {
        name,
        unit: "events/s",
        per_run: count,
        orders: Box::new(move || {
            let store = InMemoryEventStore::new();
            now(store.append(&append_of(0, &ours, version)));
        }),
        plain: Box::new(move || {
            let store = Memory::default();
            let envelopes = plain::envelopes(order(0), 0, &theirs).expect("an event is JSON");
            now(store.append(envelopes, expected));
        }),
    }
}

pub(super) fn read() -> Row {
    let (store, plain) = one_order(100);
    let (store, id) = (Store::Memory(store), OrderId::from(order(0)));
    Row {
        name: "retrieve 100 events of an order",
        unit: "events/s",
        per_run: 100,
        orders: Box::new(move || assert_eq!(now(store.read([id.stream()])).events.len(), 100)),
        plain: Box::new(move || assert_eq!(now(plain.of_aggregate(order(0))).len(), 100)),
    }
}

pub(super) fn follow() -> Row {
    // One event more than is counted.
    let (store, plain) = submitted_orders(334);
    Row {
        name: "stream 1,000 events",
        unit: "events/s",
        per_run: 1_000,
        orders: Box::new(move || {
            let mut subscription = store.subscribe(Subscribe::from_start());
            for _ in 0..1_000 {
                now(subscription.next_event());
            }
        }),
        plain: Box::new(move || {
            let events = now(plain.all()).into_iter().take(1_000);
            assert_eq!(events.map(std::hint::black_box).count(), 1_000);
        }),
    }
}
