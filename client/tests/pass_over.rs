//! Readers that do not know the events that process managers write for their own use skip them.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{
    Append, Consumer, Event, EventStore, EventSubscription, ExpectedVersion, HandlerError,
    InMemoryEventStore, MemoryTransaction, NewEvent, Position, Projection, StoredEvent, Subscribe,
    SubscriptionDefinition, SubscriptionName, SubscriptionStore, run_projection_until,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::{event_type, stream};

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, Event)]
struct Counted(u64);

/// Three events that count, with one of a manager before each, and its last position.
async fn store() -> (InMemoryEventStore, Position) {
    let store = InMemoryEventStore::new();
    for n in 1..=3 {
        let of_manager = event_type("eventcore.process.accepted");
        let append = Append::new()
            .stream(stream("process:m:1"), ExpectedVersion::Unchecked)
            .stream(stream("a"), ExpectedVersion::Unchecked)
            .event(NewEvent::new(stream("process:m:1"), of_manager, json!({})))
            .event(NewEvent::encode(stream("a"), &Counted(n)).unwrap());
        store.append(&append).await.unwrap();
    }
    (store, Position::new(6))
}

#[tokio::test]
async fn by_a_typed_subscription() {
    let (store, _) = store().await;
    let mut subscription = store.subscribe(Subscribe::from_start()).typed::<Counted>();
    for n in 1..=3 {
        assert_eq!(subscription.next_event().await.unwrap().event, Counted(n));
    }
}

#[tokio::test]
async fn by_a_consumer_which_acknowledges_it() {
    let (store, _) = store().await;
    let name = SubscriptionName::new("s").unwrap();
    let all = SubscriptionDefinition::new();
    store.create_subscription(&name, &all).await.unwrap();
    let consumer = "c".parse().unwrap();
    let mut consumer = Consumer::<Counted, _>::new(store.clone(), name.clone(), consumer);
    for n in 1..=3 {
        let delivery = consumer.next_delivery().await.unwrap();
        assert_eq!(delivery.event, Counted(n));
        delivery.ack().await.unwrap();
    }
    consumer.close().await.unwrap();
    let other = "other".parse().unwrap();
    let left = store.poll_subscription(&name, &other, 10, Duration::ZERO);
    assert!(left.await.unwrap().is_none());
}

#[derive(Default)]
struct Sum(Arc<Mutex<u64>>);

impl Projection<InMemoryEventStore> for Sum {
    type Event = Counted;

    fn name(&self) -> &str {
        "sum"
    }

    async fn apply(
        &mut self,
        stored: StoredEvent<Counted>,
        transaction: &mut MemoryTransaction,
    ) -> Result<(), HandlerError> {
        let sum = Arc::clone(&self.0);
        transaction.on_commit(move || *sum.lock().unwrap() += stored.event.0);
        Ok(())
    }
}

#[tokio::test]
async fn by_a_projection() {
    let (store, last) = store().await;
    let mut sum = Sum::default();
    run_projection_until(&store, &mut sum, last).await.unwrap();
    assert_eq!(*sum.0.lock().unwrap(), 6);
}
