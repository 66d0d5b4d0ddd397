//! Consumers of a store that fails: each event is handled at least once, and the events of a stream
//! in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{
    Append, Consumer, ConsumerOptions, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent,
    RetryPolicy, StoredEvent, StreamId, SubscriptionDefinition, SubscriptionName,
    SubscriptionStore,
};
use eventcore_testing::ChaosStore;
use eventcore_testing::chaos::{Fault, Operation};
use eventcore_testing::contract::bank::AccountEvent;

const STREAMS: u64 = 6;
const EVENTS: u64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_handle_each_event_and_each_stream_in_order_although_every_third_call_fails() {
    let memory = InMemoryEventStore::new();
    for n in 0..EVENTS {
        let stream = StreamId::new(format!("stream-{}", n % STREAMS)).unwrap();
        let event =
            NewEvent::encode(stream.clone(), &AccountEvent::Deposited { cents: n }).unwrap();
        let append = Append::new()
            .stream(stream, ExpectedVersion::Unchecked)
            .event(event);
        memory.append(&append).await.unwrap();
    }
    let subscription: SubscriptionName = "mails".parse().unwrap();
    let definition = SubscriptionDefinition::new()
        .lease(Duration::from_millis(200))
        .retry_limit(10_000);
    memory
        .create_subscription(&subscription, &definition)
        .await
        .unwrap();

    let store = ChaosStore::new(memory.clone())
        .seed(5)
        .failing_subscriptions(0.33);
    let handled = Arc::new(Mutex::new(HashMap::<StreamId, Vec<u64>>::new()));
    let again_at_once = RetryPolicy::default()
        .attempts(u32::MAX)
        .base(Duration::from_millis(1));
    let options = ConsumerOptions::new().batch(5).reconnect(again_at_once);
    let consumers: Vec<_> = ["one", "two", "three"]
        .map(|name| {
            let (store, handled) = (store.clone(), Arc::clone(&handled));
            let (name, options) = (name.parse().unwrap(), options.clone());
            let consumer = Consumer::with_options(store, subscription.clone(), name, options);
            tokio::spawn(consumer.run(move |event: StoredEvent<AccountEvent>| {
                let mut handled = handled.lock().unwrap();
                handled
                    .entry(event.stream_id)
                    .or_default()
                    .push(event.version.get());
                std::future::ready(Ok(()))
            }))
        })
        .into();
    let each = EVENTS / STREAMS;
    let all = || {
        let handled = handled.lock().unwrap();
        handled.len() as u64 == STREAMS && handled.values().all(|versions| versions.contains(&each))
    };
    while !all() {
        assert!(consumers.iter().all(|consumer| !consumer.is_finished()));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for consumer in &consumers {
        consumer.abort();
    }
    // Repeats are possible, but each event's first delivery comes after that of the event before.
    for (stream, versions) in &*handled.lock().unwrap() {
        let mut newest = 0;
        for version in versions {
            assert!(*version <= newest + 1, "{stream}: {versions:?}");
            newest = newest.max(*version);
        }
    }
    for fault in [Fault::Before, Fault::After] {
        let met = store.injected().into_iter();
        let met = met.filter(|met| (met.operation, met.fault) == (Operation::Subscription, fault));
        assert!(met.count() > 5);
    }
}
