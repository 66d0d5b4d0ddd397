//! Durable subscriptions: events that a person sets aside while no consumer has them.

use std::time::Duration;

use eventcore::{Nack, OnParked, Position, StoreError, SubscriptionDefinition, SubscriptionStore};

use super::{add, create, poll, polled, shown, subscription};

/// A retry that is far away.
fn later() -> Nack {
    Nack::retry().delay(Duration::from_secs(3_600))
}

pub async fn an_event_that_waits_is_set_aside_and_replayed<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    for (name, n) in [("a", 1), ("a", 2), ("b", 3)] {
        add(store, name, n).await;
    }
    let name = subscription();
    let batch = poll(store, 100).await.unwrap();
    let at = batch.positions();
    let later = later();
    let back = store.nack(name, batch.lease_id, Some(&at[..1]), &later);
    back.await.unwrap();
    store.ack(name, batch.lease_id, None).await.unwrap();
    // The whole stream waits.
    assert_eq!(polled(store).await, [""; 0]);
    let parked = store.park(name, &at[..1], Some("by hand")).await;
    assert_eq!(parked.unwrap(), 1);
    let listed = store.parked(name, Position::START, 10).await.unwrap();
    let [one] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((one.event.position, one.attempts), (at[0], 1));
    assert_eq!(one.reason.as_deref(), Some("by hand"));
    // Again: it stays parked, with its reason.
    assert_eq!(store.park(name, &at[..1], None).await.unwrap(), 0);
    let listed = store.parked(name, Position::START, 10).await.unwrap();
    assert_eq!(listed[0].reason.as_deref(), Some("by hand"));
    let batch = poll(store, 100).await.unwrap();
    assert_eq!(shown(&batch), ["a:2#1"]);
    store.ack(name, batch.lease_id, None).await.unwrap();

    assert_eq!(store.replay_parked(name, None).await.unwrap(), 1);
    // What waits after a replay can be set aside too, and without a reason there is one.
    assert_eq!(store.park(name, &at[..1], None).await.unwrap(), 1);
    let listed = store.parked(name, Position::START, 10).await.unwrap();
    let reason = listed[0].reason.as_deref().unwrap();
    assert!(reason.starts_with("set aside"), "{reason}");
    assert_eq!(store.replay_parked(name, None).await.unwrap(), 1);
    assert_eq!(polled(store).await, ["a:1#1"]);
}

pub async fn a_stream_that_stops_waits_for_an_event_that_was_set_aside<S>(store: &S)
where
    S: SubscriptionStore,
{
    let definition = SubscriptionDefinition::new().on_parked(OnParked::Stop);
    create(store, &definition).await;
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let name = subscription();
    let batch = poll(store, 2).await.unwrap();
    let at = batch.positions();
    let later = later();
    let back = store.nack(name, batch.lease_id, Some(&at[..1]), &later);
    back.await.unwrap();
    assert_eq!(store.park(name, &at[..1], None).await.unwrap(), 1);
    add(store, "b", 4).await;
    assert_eq!(polled(store).await, ["b:4#1"]);
    assert_eq!(store.discard_parked(name, None).await.unwrap(), 1);
    assert_eq!(polled(store).await, ["a:2#1", "a:3#1"]);
}

pub async fn what_an_expired_lease_holds_is_set_aside<S>(store: &S)
where
    S: SubscriptionStore,
{
    let lease = Duration::from_millis(300);
    create(store, &SubscriptionDefinition::new().lease(lease)).await;
    add(store, "a", 1).await;
    let batch = poll(store, 100).await.unwrap();
    assert_eq!(shown(&batch), ["a:1#1"]);
    store.sleep(lease * 2).await;
    store.pause_subscription(subscription()).await.unwrap();
    let parked = store.park(subscription(), &batch.positions(), None).await;
    assert_eq!(parked.unwrap(), 1);
    store.resume_subscription(subscription()).await.unwrap();
    assert_eq!(polled(store).await, [""; 0]);
    let lost = store.ack(subscription(), batch.lease_id, None).await;
    assert!(lost.unwrap_err().is_lease_lost());
}

pub async fn what_is_leased_done_or_was_never_delivered_is_not_set_aside<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    let mut at = Vec::new();
    for (name, n) in [("a", 1), ("a", 2), ("b", 3)] {
        at.push(add(store, name, n).await);
    }
    let name = subscription();
    let refused = |parked: Result<u64, StoreError>| assert!(parked.unwrap_err().is_malformed());
    refused(store.park(name, &at[..1], None).await);
    // The second event waits for the first one, and was never delivered.
    let batch = poll(store, 1).await.unwrap();
    assert_eq!(batch.positions(), at[..1]);
    refused(store.park(name, &at[..1], None).await);
    let later = later();
    let back = store.nack(name, batch.lease_id, None, &later);
    back.await.unwrap();
    refused(store.park(name, &at[..2], None).await);
    let others = poll(store, 100).await.unwrap();
    assert_eq!(shown(&others), ["b:3#1"]);
    refused(store.park(name, &[at[0], at[2]], None).await);
    store.ack(name, others.lease_id, None).await.unwrap();
    refused(store.park(name, &[at[0], at[2]], None).await);
    let parked = store.parked(name, Position::START, 10).await.unwrap();
    assert!(parked.is_empty(), "{parked:?}");
    assert_eq!(store.park(name, &[], None).await.unwrap(), 0);
    assert_eq!(store.park(name, &at[..1], None).await.unwrap(), 1);
    assert_eq!(polled(store).await, ["a:2#1"]);
}
