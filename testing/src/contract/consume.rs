//! Consumers.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{
    Consumer, ConsumerOptions, Nack, NackOutcome, Position, RetryPolicy, Settled,
    SubscriptionDefinition, SubscriptionStore,
};
use serde_json::json;

use super::{Counted, add, add_as, consumer, create, poll, polled, shown, subscription};

/// A consumer that retries failures soon.
pub(crate) fn new<S: SubscriptionStore + Clone>(store: &S, name: &str) -> Consumer<Counted, S> {
    let soon = RetryPolicy::default()
        .attempts(u32::MAX)
        .base(Duration::from_millis(20))
        .multiplier(1.0)
        .jitter(false);
    let options = ConsumerOptions::new().retry_delay(soon);
    Consumer::with_options(
        store.clone(),
        subscription().clone(),
        consumer(name),
        options,
    )
}

async fn next<S: SubscriptionStore>(consumer: &mut Consumer<Counted, S>) -> (u64, u32) {
    let delivery = consumer.next_delivery().await.unwrap();
    let shown = (delivery.event.0, delivery.attempt());
    delivery.handled();
    shown
}

pub async fn a_consumer_hands_out_events_in_order_and_none_twice_that_is_done<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new()).await;
    for n in 1..=6 {
        add(store, if n % 2 == 0 { "b" } else { "a" }, n).await;
    }
    let mut one = new(store, "one");
    for n in 1..=3 {
        let delivery = one.next_delivery().await.unwrap();
        assert_eq!((delivery.event, delivery.attempt()), (Counted(n), 1));
        assert_eq!(delivery.ack().await.unwrap(), Settled::Done);
    }
    assert_eq!(next(&mut one).await, (4, 1));
    one.close().await.unwrap();
    let mut two = new(store, "two");
    assert_eq!(
        [next(&mut two).await, next(&mut two).await],
        [(5, 1), (6, 1)]
    );
    let (seven, _) = tokio::join!(next(&mut two), async {
        store.sleep(Duration::from_millis(30)).await;
        add(store, "a", 7).await
    });
    assert_eq!(seven, (7, 1));
    two.close().await.unwrap();
    assert_eq!(polled(store).await, [""; 0]);
}

pub async fn what_is_given_back_is_not_handed_out_from_the_same_batch<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new()).await;
    for (name, n) in [("a", 1), ("b", 2), ("a", 3), ("b", 4)] {
        add(store, name, n).await;
    }
    let mut consumer = new(store, "one");
    let first = consumer.next_delivery().await.unwrap();
    let second = consumer.next_delivery().await.unwrap();
    let third = consumer.next_delivery().await.unwrap();
    assert_eq!(third.event, Counted(3));
    let became = first.nack(Nack::retry()).await.unwrap();
    assert_eq!(became, Some(NackOutcome::Retry));
    // The third event went back with the first, although it had been handed out.
    assert!(third.is_void() && !second.is_void());
    assert_eq!(third.ack().await.unwrap(), Settled::Void);
    let became = second.nack(Nack::skip()).await.unwrap();
    assert_eq!(became, Some(NackOutcome::Skipped));
    let rest = [
        next(&mut consumer).await,
        next(&mut consumer).await,
        next(&mut consumer).await,
    ];
    assert_eq!(rest, [(4, 1), (1, 2), (3, 1)]);
}

pub async fn a_delivery_without_an_answer_is_a_failure<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new().retry_limit(1)).await;
    add(store, "a", 1).await;
    add(store, "a", 2).await;
    let mut consumer = new(store, "one");
    for attempt in 1..=2 {
        let delivery = consumer.next_delivery().await.unwrap();
        assert_eq!((delivery.event, delivery.attempt()), (Counted(1), attempt));
        drop(delivery);
    }
    assert_eq!(next(&mut consumer).await, (2, 1));
    let parked = store
        .parked(subscription(), Position::START, 10)
        .await
        .unwrap();
    assert_eq!(parked.len(), 1);
    assert!(
        parked[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("without an answer")
    );
}

pub async fn what_cannot_be_decoded_is_an_error_and_parked_in_the_end<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new().retry_limit(1)).await;
    let position = add_as(store, "a", "Unheard", json!(1)).await;
    add(store, "a", 2).await;
    add(store, "b", 3).await;
    let mut consumer = new(store, "one");
    let error = consumer.next_delivery().await.unwrap_err();
    assert!(error.is_undecodable() && error.position() == Some(position));
    // Its stream waits for the event, other streams do not.
    assert_eq!(next(&mut consumer).await, (3, 1));
    let error = consumer.next_delivery().await.unwrap_err();
    assert_eq!(error.stream_id().unwrap(), "a");
    assert_eq!(next(&mut consumer).await, (2, 1));
    let parked = store
        .parked(subscription(), Position::START, 10)
        .await
        .unwrap();
    let reason = parked[0].reason.as_ref().unwrap();
    assert!(reason.contains("unknown event type"), "{reason}");
}

pub async fn a_consumer_that_is_closed_or_dropped_gives_back_what_it_has<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new()).await;
    for n in 1..=4 {
        add(store, "a", n).await;
    }
    let mut closed = new(store, "closed");
    assert_eq!(next(&mut closed).await, (1, 1));
    let out = closed.next_delivery().await.unwrap();
    closed.close().await.unwrap();
    assert!(out.is_void());
    assert_eq!(out.ack().await.unwrap(), Settled::Void);

    let mut dropped = new(store, "dropped");
    assert_eq!(next(&mut dropped).await, (2, 1));
    drop(dropped);
    // The event is given back at once, not after the lease of 30 s.
    let (name, who) = (subscription(), consumer("last"));
    let wait = Duration::from_secs(10);
    let batch = store
        .poll_subscription(name, &who, 100, wait)
        .await
        .unwrap();
    assert_eq!(shown(&batch.unwrap()), ["a:3#1", "a:4#1"]);
}

pub async fn a_lease_is_kept_while_a_handler_works<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let lease = Duration::from_millis(1_200);
    create(store, &SubscriptionDefinition::new().lease(lease)).await;
    add(store, "a", 1).await;
    add(store, "a", 2).await;
    let (begun, handled) = (Arc::default(), Arc::new(Mutex::new(Vec::new())));
    let running = new(store, "slow").run(|event| {
        let (store, handled) = (store.clone(), Arc::clone(&handled));
        let begun: Arc<AtomicBool> = Arc::clone(&begun);
        async move {
            begun.store(true, SeqCst);
            store.sleep(lease * 3 / 2).await;
            handled.lock().unwrap().push(event.event.0);
            Ok(())
        }
    });
    let watching = async {
        while handled.lock().unwrap().len() < 2 {
            if begun.load(SeqCst) {
                assert_eq!(polled(store).await, [""; 0]);
            }
            store.sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        stopped = running => panic!("{stopped:?}"),
        () = watching => {}
    }
    assert_eq!(*handled.lock().unwrap(), [1, 2]);
}

pub async fn a_handler_that_fails_gets_the_event_again_with_its_reason_on_record<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new().retry_limit(2)).await;
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let running = new(store, "one").run(|event| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock().unwrap().push(event.event.0);
            match event.event {
                Counted(2) => Err("two is not liked".into()),
                _ => Ok(()),
            }
        }
    });
    let watching = async {
        while store
            .parked(subscription(), Position::START, 1)
            .await
            .unwrap()
            .is_empty()
            || seen.lock().unwrap().last() != Some(&3)
        {
            store.sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        stopped = running => panic!("{stopped:?}"),
        () = watching => {}
    }
    assert_eq!(*seen.lock().unwrap(), [1, 2, 2, 2, 3]);
    let parked = store
        .parked(subscription(), Position::START, 10)
        .await
        .unwrap();
    assert_eq!((parked.len(), parked[0].attempts), (1, 3));
    assert_eq!(parked[0].reason.as_deref(), Some("two is not liked"));
}

pub async fn a_delivery_is_void_when_its_lease_has_gone_to_another<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let lease = Duration::from_millis(200);
    create(store, &SubscriptionDefinition::new().lease(lease)).await;
    for (name, n) in [("a", 1), ("a", 2), ("b", 3)] {
        add(store, name, n).await;
    }
    let mut late = new(store, "late");
    let first = late.next_delivery().await.unwrap();
    store.sleep(lease * 2).await;
    let taken = poll(store, 100).await.unwrap();
    assert_eq!(shown(&taken), ["a:1#1", "a:2#1", "b:3#1"]);
    assert_eq!(first.ack().await.unwrap(), Settled::Void);
    store
        .ack(subscription(), taken.lease_id, None)
        .await
        .unwrap();
    // The rest of the batch is not handed out, and this is not an error.
    add(store, "c", 4).await;
    assert_eq!(next(&mut late).await, (4, 1));
}

pub async fn a_consumer_of_an_unknown_subscription_gets_an_error<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let mut consumer = new(store, "one");
    let error = consumer.next_delivery().await.unwrap_err();
    assert!(error.store().unwrap().is_unknown_name());
    create(store, &SubscriptionDefinition::new()).await;
    add(store, "a", 1).await;
    assert_eq!(next(&mut consumer).await, (1, 1));
}

pub async fn what_a_consumer_has_is_void_after_a_reset<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    create(store, &SubscriptionDefinition::new()).await;
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let mut consumer = new(store, "one");
    let first = consumer.next_delivery().await.unwrap();
    let second = consumer.next_delivery().await.unwrap();
    let start = Position::START;
    store
        .reset_subscription(subscription(), start)
        .await
        .unwrap();
    assert_eq!(first.ack().await.unwrap(), Settled::Void);
    assert_eq!(second.nack(Nack::retry()).await.unwrap(), None);
    // The last event of the batch is on its way already; then all come again.
    assert_eq!(next(&mut consumer).await, (3, 1));
    for n in 1..=3 {
        assert_eq!(next(&mut consumer).await, (n, 1));
    }
}

pub async fn a_very_short_lease_does_not_keep_a_consumer_from_its_events<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let short = SubscriptionDefinition::new()
        .lease(Duration::from_millis(1))
        .retry_limit(1_000);
    create(store, &short).await;
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let mut consumer = new(store, "one");
    let mut done = 0;
    while done < 3 {
        let delivery = consumer.next_delivery().await.unwrap();
        assert!(delivery.event.0 <= done + 1);
        if delivery.ack().await.unwrap() == Settled::Done {
            done += 1;
        }
    }
}
