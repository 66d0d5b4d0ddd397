//! What the memory store promises of reads and subscriptions.

mod support;

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    EventStore, EventSubscription, Filter, InMemoryEventStore, Position, ReadAll, ReadStream,
    ReadStreams, StreamVersion, Subscribe, Subscription,
};
use futures_core::Stream;
use support::{add, append, event, event_type, payloads, stream};

#[tokio::test]
async fn a_stream_is_read_forward_and_backward_from_a_version_on_up_to_a_limit() {
    let store = InMemoryEventStore::new();
    for n in 1..=5 {
        add(&store, "a", n).await;
        add(&store, "b", 100 + n).await;
    }
    let a = || ReadStream::new(stream("a"));
    let version = StreamVersion::new;
    assert_eq!(payloads(&store, a()).await, [1, 2, 3, 4, 5]);
    assert_eq!(
        payloads(&store, a().after(version(2)).limit(2)).await,
        [3, 4]
    );
    assert_eq!(payloads(&store, a().backward().limit(2)).await, [5, 4]);
    assert_eq!(
        payloads(&store, a().backward().after(version(3))).await,
        [2, 1]
    );
    assert_eq!(payloads(&store, a().after(version(u64::MAX))).await, [0; 0]);
    assert_eq!(
        payloads(&store, ReadStream::new(stream("none"))).await,
        [0; 0]
    );
    assert_eq!(
        payloads(&store, a().event_types([event_type("Other")])).await,
        [0; 0]
    );
}

#[tokio::test]
async fn several_streams_are_read_in_the_order_given_each_after_its_version() {
    let store = InMemoryEventStore::new();
    for n in 1..=3 {
        add(&store, "a", n).await;
        add(&store, "b", n).await;
    }
    let read = ReadStreams::new([stream("b"), stream("none")])
        .stream_after(stream("a"), StreamVersion::new(2));
    let found = store.read_streams(&read).await.unwrap();
    let seen: Vec<_> = found
        .events
        .iter()
        .map(|event| (event.stream_id.as_str(), event.version.get()))
        .collect();
    assert_eq!(seen, [("b", 1), ("b", 2), ("b", 3), ("a", 3)]);
    let versions: Vec<_> = found.versions.iter().map(|version| version.get()).collect();
    assert_eq!(versions, [3, 0, 3]);

    let limited = store.read_streams(&read.limit(1)).await.unwrap();
    let versions: Vec<_> = limited
        .versions
        .iter()
        .map(|version| version.get())
        .collect();
    assert_eq!(versions, [1, 0, 3]);

    let twice = ReadStreams::new([stream("a"), stream("a")]);
    assert!(store.read_streams(&twice).await.unwrap_err().is_malformed());
}

#[tokio::test]
async fn all_events_are_read_by_position_filtered_by_prefix_and_type() {
    let store = InMemoryEventStore::new();
    for id in ["account-1", "order-1", "account-2", "orders"] {
        add(&store, id, 1).await;
    }
    let positions = async |read: ReadAll| -> Vec<u64> {
        let events = store.read_all(&read).await.unwrap();
        events.iter().map(|event| event.position.get()).collect()
    };
    let read = ReadAll::new;
    assert_eq!(positions(read()).await, [1, 2, 3, 4]);
    assert_eq!(
        positions(read().after(Position::new(1)).limit(2)).await,
        [2, 3]
    );
    assert_eq!(positions(read().backward().limit(3)).await, [4, 3, 2]);
    assert_eq!(
        positions(read().backward().after(Position::new(3))).await,
        [2, 1]
    );
    let orders = Filter::all()
        .stream_prefix("order-")
        .stream_prefix("account-2");
    assert_eq!(positions(read().filter(orders)).await, [2, 3]);
    let none = Filter::all().event_type(event_type("Other"));
    assert_eq!(positions(read().filter(none)).await, [0; 0]);
}

#[tokio::test]
async fn the_versions_of_streams_come_in_the_order_asked_for() {
    let store = InMemoryEventStore::new();
    add(&store, "a", 1).await;
    let versions = store
        .stream_versions(&[stream("none"), stream("a")])
        .await
        .unwrap();
    assert_eq!(versions, [StreamVersion::EMPTY, StreamVersion::new(1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subscription_sees_each_event_once_in_order_while_others_append() {
    let store = InMemoryEventStore::new();
    add(&store, "a", 0).await;
    let mut subscription = store.subscribe(Subscribe::from_start().page(7));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..250 {
                    add(&store, &format!("stream-{writer}"), n).await;
                }
            })
        })
        .collect();
    for position in 1..=1_001 {
        let event = subscription.next_event().await.unwrap();
        assert_eq!(event.position.get(), position);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(poll(&mut subscription).is_pending());
}

#[tokio::test]
async fn a_subscription_starts_after_a_position_and_waits_for_what_its_filter_lets_through() {
    let store = InMemoryEventStore::new();
    add(&store, "a", 1).await;
    add(&store, "a", 2).await;
    let filter = Filter::all().stream_prefix("a");
    let mut subscription = store.subscribe(Subscribe::after(Position::new(1)).filter(filter));
    assert_eq!(subscription.next_event().await.unwrap().position.get(), 2);
    assert!(poll(&mut subscription).is_pending());
    add(&store, "b", 1).await;
    assert!(poll(&mut subscription).is_pending());

    let waiting = tokio::spawn(async move { subscription.next_event().await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    store
        .append(&append(&[("a", Unchecked)]).event(event("a", 3)))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().position.get(), 4);
}

#[tokio::test]
async fn dropping_the_future_of_the_next_event_loses_none() {
    let store = InMemoryEventStore::new();
    let mut subscription = store.subscribe(Subscribe::from_start());
    {
        let next = pin!(subscription.next_event());
        assert!(
            next.poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    add(&store, "a", 1).await;
    assert_eq!(subscription.next_event().await.unwrap().position.get(), 1);
}

#[tokio::test]
async fn the_store_waits_without_a_timer_of_the_runtime() {
    let started = std::time::Instant::now();
    InMemoryEventStore::new()
        .sleep(Duration::from_millis(30))
        .await;
    assert!(started.elapsed() >= Duration::from_millis(30));
}

fn poll(subscription: &mut Subscription) -> Poll<()> {
    Pin::new(subscription)
        .poll_next(&mut Context::from_waker(Waker::noop()))
        .map(drop)
}
