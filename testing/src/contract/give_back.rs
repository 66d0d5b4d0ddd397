//! Durable subscriptions: events that are given back, parked, replayed and discarded.

use std::time::Duration;

use eventcore::{Nack, NackOutcome, OnParked, Position, SubscriptionDefinition, SubscriptionStore};

use super::{add, create, poll, polled, shown, subscription};

pub async fn what_is_given_back_takes_the_later_events_of_its_stream_with_it<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    for (name, n) in [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5)] {
        add(store, name, n).await;
    }
    let batch = poll(store, 100).await.unwrap();
    let at = batch.positions();
    let outcomes = store
        .nack(
            subscription(),
            batch.lease_id,
            Some(&[at[2]]),
            &Nack::retry(),
        )
        .await
        .unwrap();
    assert_eq!(
        outcomes,
        [(at[2], NackOutcome::Retry), (at[3], NackOutcome::Released)]
    );
    let lost = store
        .ack(subscription(), batch.lease_id, Some(&[at[1], at[3]]))
        .await
        .unwrap_err();
    assert_eq!(lost.lost_positions(), [at[3]]);
    // The stream is still leased, with its first event.
    assert_eq!(polled(store).await, [""; 0]);
    store
        .ack(subscription(), batch.lease_id, None)
        .await
        .unwrap();
    assert_eq!(polled(store).await, ["a:3#2", "a:4#1"]);
}

pub async fn a_release_is_no_failure_and_a_skipped_event_is_done<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let batch = poll(store, 100).await.unwrap();
    let at = batch.positions();
    let (name, lease) = (subscription(), batch.lease_id);
    let skipped = store.nack(name, lease, Some(&at[..1]), &Nack::skip()).await;
    assert_eq!(skipped.unwrap(), [(at[0], NackOutcome::Skipped)]);
    let released = store.nack(name, lease, None, &Nack::release()).await;
    let wanted = [
        (at[1], NackOutcome::Released),
        (at[2], NackOutcome::Released),
    ];
    assert_eq!(released.unwrap(), wanted);
    let lost = store.nack(name, lease, None, &Nack::release()).await;
    assert!(lost.unwrap_err().is_lease_lost());
    assert_eq!(polled(store).await, ["a:2#1", "a:3#1"]);
}

pub async fn an_event_that_fails_too_often_is_parked_and_can_be_replayed_or_discarded<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new().retry_limit(1)).await;
    let position = add(store, "a", 1).await;
    let name = subscription();
    let nack = Nack::retry().reason("it does not fit");
    for (attempt, outcome) in [
        ("a:1#1", NackOutcome::Retry),
        ("a:1#2", NackOutcome::Parked),
    ] {
        let batch = poll(store, 100).await.unwrap();
        assert_eq!(shown(&batch), [attempt]);
        let became = store.nack(name, batch.lease_id, None, &nack).await;
        assert_eq!(became.unwrap(), [(position, outcome)]);
    }
    assert_eq!(polled(store).await, [""; 0]);
    add(store, "a", 2).await;
    let batch = poll(store, 100).await.unwrap();
    assert_eq!(shown(&batch), ["a:2#1"]);
    store.ack(name, batch.lease_id, None).await.unwrap();

    let parked = store.parked(name, Position::START, 10).await.unwrap();
    let [one] = &parked[..] else {
        panic!("{parked:?}")
    };
    assert_eq!((one.event.position, one.attempts), (position, 2));
    assert_eq!(one.reason.as_deref(), Some("it does not fit"));
    assert_eq!(one.consumer.as_ref().unwrap(), "tester");
    assert!(store.parked(name, position, 10).await.unwrap().is_empty());
    let unparked = store
        .replay_parked(name, Some(&[Position::new(position.get() + 1)]))
        .await;
    assert!(unparked.unwrap_err().is_malformed());

    assert_eq!(store.replay_parked(name, None).await.unwrap(), 1);
    let batch = poll(store, 100).await.unwrap();
    assert_eq!(shown(&batch), ["a:1#1"]);
    store
        .nack(name, batch.lease_id, None, &Nack::park())
        .await
        .unwrap();
    assert_eq!(
        store.discard_parked(name, Some(&[position])).await.unwrap(),
        1
    );
    assert_eq!(store.discard_parked(name, None).await.unwrap(), 0);
    assert_eq!(polled(store).await, [""; 0]);
}

pub async fn a_stream_that_stops_waits_for_its_parked_event<S>(store: &S)
where
    S: SubscriptionStore,
{
    let definition = SubscriptionDefinition::new().on_parked(OnParked::Stop);
    create(store, &definition).await;
    for (name, n) in [("a", 1), ("a", 2), ("b", 3)] {
        add(store, name, n).await;
    }
    let name = subscription();
    let batch = poll(store, 100).await.unwrap();
    let at = batch.positions();
    let became = store
        .nack(name, batch.lease_id, Some(&at[..1]), &Nack::park())
        .await;
    let wanted = [(at[0], NackOutcome::Parked), (at[1], NackOutcome::Released)];
    assert_eq!(became.unwrap(), wanted);
    store.ack(name, batch.lease_id, None).await.unwrap();
    add(store, "a", 4).await;
    add(store, "b", 5).await;
    let batch = poll(store, 100).await.unwrap();
    assert_eq!(shown(&batch), ["b:5#1"]);
    let parked = store.parked(name, Position::START, 10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(store.replay_parked(name, None).await.unwrap(), 1);
    assert_eq!(polled(store).await, ["a:1#1", "a:2#1", "a:4#1"]);
}

pub async fn only_a_retry_can_be_delayed<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    add(store, "a", 1).await;
    let batch = poll(store, 100).await.unwrap();
    let delay = Duration::from_millis(500);
    for nack in [Nack::park(), Nack::skip(), Nack::release()] {
        let nack = nack.delay(delay);
        let became = store
            .nack(subscription(), batch.lease_id, None, &nack)
            .await;
        assert!(became.unwrap_err().is_malformed());
    }
    let nack = Nack::retry().delay(delay);
    let became = store
        .nack(subscription(), batch.lease_id, None, &nack)
        .await;
    assert_eq!(became.unwrap().len(), 1);
    // The whole stream waits.
    add(store, "a", 2).await;
    assert_eq!(polled(store).await, [""; 0]);
    store.sleep(delay).await;
    assert_eq!(polled(store).await, ["a:1#2", "a:2#1"]);
}
