//! Promises of the store in memory beyond the contract of every store.

mod support;

use std::time::{Duration, Instant};

use eventcore::{EventStore, EventSubscription, InMemoryEventStore, Position, ReadAll, Subscribe};
use support::add;

#[tokio::test]
async fn positions_have_no_gaps_also_where_appends_failed() {
    let store = InMemoryEventStore::new();
    for n in 1..=3 {
        add(&store, "a", n).await;
        let stale = support::append(&[("a", eventcore::ExpectedVersion::Exactly(0))])
            .event(support::event("a", n));
        store.append(&stale).await.unwrap_err();
    }
    let events = store.read_all(&ReadAll::new()).await.unwrap();
    let positions: Vec<_> = events.iter().map(|event| event.position.get()).collect();
    assert_eq!(positions, [1, 2, 3]);
    assert_eq!(store.safe_position().await.unwrap(), Position::new(3));
}

#[tokio::test]
async fn a_clone_is_the_same_store() {
    let store = InMemoryEventStore::new();
    let mut subscription = store.clone().subscribe(Subscribe::from_start());
    add(&store.clone(), "a", 1).await;
    assert_eq!(subscription.next_event().await.unwrap().position.get(), 1);
    assert_eq!(store.safe_position().await.unwrap().get(), 1);
}

#[tokio::test]
async fn the_store_waits_without_a_timer_of_the_runtime() {
    let started = Instant::now();
    let store = InMemoryEventStore::new();
    store.sleep(Duration::from_millis(30)).await;
    assert!(started.elapsed() >= Duration::from_millis(30));
}
