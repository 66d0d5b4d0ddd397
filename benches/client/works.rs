//! The works, each with eventcore's store in memory and with the reference.

use std::hint::black_box;

use eventcore::{
    Append, EventStore, EventSubscription, ExpectedVersion, InMemoryEventStore, NewEvent,
    ReadStream, StreamId, Subscribe, execute,
};
use futures_util::FutureExt;
use uuid::Uuid;

use crate::commands::{self, Add, Create, Look, OrderEvent, Submit};
use crate::orders::{Created, ItemAdded};
use crate::reference::{self, Memory, Store};

/// The only order, or the first one.
const ORDER: Uuid = Uuid::nil();

/// An operation to repeat.
pub(crate) type Run = Box<dyn FnMut()>;

/// What is measured, and its reference.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// The unit that is counted: `per_run` of them in each run.
    pub(crate) unit: &'static str,
    pub(crate) per_run: u32,
    pub(crate) eventcore: Run,
    pub(crate) reference: Run,
}

/// All of them. Where a work writes, each run has a store of its own: a growing store would be
/// measured with more and more in it.
pub(crate) fn all() -> Vec<Work> {
    use ExpectedVersion::{Exactly, Unchecked};
    let appends = [
        ("append one event", 1, Unchecked, None),
        ("append ten events", 10, Unchecked, None),
        (
            "append one event at an expected version",
            1,
            Exactly(0),
            Some(0),
        ),
    ];
    let appends = appends.map(|(name, events, ours, theirs)| Work {
        name,
        unit: "events/s",
        per_run: events,
        eventcore: {
            let stream = commands::stream(ORDER);
            Box::new(move || append(&stream, events, ours))
        },
        reference: Box::new(move || append_reference(events, theirs)),
    });
    let others = [read(), follow(), fold(), create(), full_cycle()];
    appends.into_iter().chain(others).collect()
}

/// The result of a store that never waits. A failing bench would measure nothing.
fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    answer
        .now_or_never()
        .expect("a store in memory answers at once")
        .expect("the store does what is asked")
}

fn append(stream: &StreamId, events: u32, expected: ExpectedVersion) {
    let store = InMemoryEventStore::new();
    let created = Created::of(ORDER);
    let append = Append::new().stream(stream.clone(), expected);
    let append = (0..events).fold(append, |append, _| {
        let event = OrderEvent::Created(created.clone());
        append.event(NewEvent::encode(stream.clone(), &event).expect("an order is JSON"))
    });
    black_box(now(store.append(&append)));
}

fn append_reference(events: u32, expected: Option<u64>) {
    let store = Memory::default();
    let created = Created::of(ORDER);
    let envelopes = (1..=u64::from(events)).map(|version| {
        let event = reference::OrderEvent::Created(created.clone());
        event.envelope(created.order, version)
    });
    let envelopes = envelopes.collect::<Result<_, _>>();
    let envelopes = envelopes.expect("an order is JSON");
    black_box(now(store.append(envelopes, expected)));
}

/// `orders` of 100 events each: one is created, and 99 items are added.
fn filled(orders: u128) -> InMemoryEventStore {
    let store = InMemoryEventStore::new();
    for order in (0..orders).map(Uuid::from_u128) {
        let stream = commands::stream(order);
        let created = OrderEvent::Created(Created::of(order));
        let items = (1..100).map(|number| OrderEvent::ItemAdded(ItemAdded::number(number)));
        let append = Append::new().stream(stream.clone(), ExpectedVersion::Exactly(0));
        let append = [created]
            .into_iter()
            .chain(items)
            .fold(append, |append, event| {
                append.event(NewEvent::encode(stream.clone(), &event).expect("an order is JSON"))
            });
        now(store.append(&append));
    }
    store
}

fn filled_reference(orders: u128) -> Memory {
    use reference::OrderEvent::{Created as OfOrder, ItemAdded as OfItem};
    let store = Memory::default();
    for order in (0..orders).map(Uuid::from_u128) {
        let created = OfOrder(Created::of(order));
        let items = (1..100).map(|number| OfItem(ItemAdded::number(number)));
        let events = [created].into_iter().chain(items).zip(1..);
        let envelopes = events.map(|(event, version)| event.envelope(order, version));
        let envelopes: Result<_, _> = envelopes.collect();
        now(store.append(envelopes.expect("an order is JSON"), Some(0)));
    }
    store
}

fn read() -> Work {
    let (store, reference) = (filled(1), filled_reference(1));
    let stream = commands::stream(ORDER);
    let read = ReadStream::new(stream);
    Work {
        name: "read 100 events",
        unit: "events/s",
        per_run: 100,
        eventcore: Box::new(move || assert_eq!(now(store.read_stream(&read)).len(), 100)),
        reference: Box::new(move || assert_eq!(now(reference.of_aggregate(ORDER)).len(), 100)),
    }
}

fn follow() -> Work {
    let (store, reference) = (filled(10), filled_reference(10));
    Work {
        name: "follow 1,000 events",
        unit: "events/s",
        per_run: 1_000,
        eventcore: Box::new(move || {
            let mut subscription = store.subscribe(Subscribe::from_start());
            for _ in 0..1_000 {
                black_box(now(subscription.next_event()));
            }
        }),
        reference: Box::new(move || {
            let events = now(reference.all());
            assert_eq!(events.into_iter().map(black_box).count(), 1_000);
        }),
    }
}

fn fold() -> Work {
    let (store, reference) = (filled(1), filled_reference(1));
    let stream = commands::stream(ORDER);
    let look = Look { order: stream };
    Work {
        name: "fold 100 events into an order",
        unit: "events/s",
        per_run: 100,
        eventcore: Box::new(move || assert!(!now(execute(&store, &look)).wrote())),
        reference: Box::new(move || {
            let (order, version) = now(reference::load(&reference, ORDER));
            assert_eq!((order.items.len(), version), (99, 100));
        }),
    }
}

fn create() -> Work {
    let stream = commands::stream(ORDER);
    Work {
        name: "execute create an order",
        unit: "commands/s",
        per_run: 1,
        eventcore: Box::new(move || {
            let store = InMemoryEventStore::new();
            let (order, created) = (stream.clone(), Created::of(ORDER));
            black_box(now(execute(&store, &Create { order, created })));
        }),
        reference: Box::new(|| {
            let store = Memory::default();
            black_box(now(reference::create(&store, Created::of(ORDER))));
        }),
    }
}

fn full_cycle() -> Work {
    let stream = commands::stream(ORDER);
    Work {
        name: "execute create an order, add an item, submit it",
        unit: "commands/s",
        per_run: 3,
        eventcore: Box::new(move || {
            let store = InMemoryEventStore::new();
            let (order, created) = (stream.clone(), Created::of(ORDER));
            let create = Create {
                order: order.clone(),
                created,
            };
            now(execute(&store, &create));
            let add = Add {
                order: order.clone(),
                item: ItemAdded::number(1),
            };
            now(execute(&store, &add));
            black_box(now(execute(&store, &Submit { order })));
        }),
        reference: Box::new(|| {
            let store = Memory::default();
            now(reference::create(&store, Created::of(ORDER)));
            now(reference::add(&store, ORDER, ItemAdded::number(1)));
            let (order, _) = now(reference::submit(&store, ORDER));
            assert!(order.submitted);
        }),
    }
}
