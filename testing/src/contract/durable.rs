//! Durable subscriptions: leases and acknowledgements.

use std::time::Duration;

use eventcore::{
    Filter, LeaseId, OnParked, Position, StartFrom, SubscriptionDefinition, SubscriptionStore,
};

use super::{add, consumer, create, event_type, poll, polled, shown, subscription};

fn short() -> SubscriptionDefinition {
    SubscriptionDefinition::new().lease(Duration::from_millis(150))
}

pub async fn a_subscription_is_created_once_and_with_one_definition<S>(store: &S)
where
    S: SubscriptionStore,
{
    let wanted = Filter::all()
        .stream_prefix("a")
        .event_type(event_type("Counted"));
    let definition = SubscriptionDefinition::new()
        .filter(wanted)
        .retry_limit(3)
        .on_parked(OnParked::Stop);
    create(store, &definition).await;
    let later = definition.clone().start(StartFrom::Now);
    let again = store.create_subscription(subscription(), &later);
    assert!(!again.await.unwrap());
    for other in [
        definition.clone().retry_limit(4),
        definition.clone().lease(Duration::from_secs(1)),
        definition.clone().on_parked(OnParked::Continue),
        definition.clone().filter(Filter::all()),
        definition.clone().lease(Duration::ZERO),
        definition.clone().filter(Filter::all().stream_prefix("")),
        definition
            .clone()
            .start(StartFrom::After(Position::new(1_000_000))),
    ] {
        let other = store.create_subscription(subscription(), &other).await;
        let error = other.unwrap_err();
        assert!(error.is_malformed(), "{error:?}");
    }
    store.drop_subscription(subscription()).await.unwrap();
    create(store, &SubscriptionDefinition::new()).await;
}

pub async fn what_is_not_there_has_no_subscription_functions<S>(store: &S)
where
    S: SubscriptionStore,
{
    let (name, lease) = (subscription(), LeaseId::new());
    let who = consumer("c");
    let errors = [
        store.drop_subscription(name).await.err(),
        store.pause_subscription(name).await.err(),
        store.resume_subscription(name).await.err(),
        store.reset_subscription(name, Position::START).await.err(),
        store
            .poll_subscription(name, &who, 1, Duration::ZERO)
            .await
            .err(),
        store.ack(name, lease, None).await.err(),
        store
            .nack(name, lease, None, &Default::default())
            .await
            .err(),
        store.extend_lease(name, lease).await.err(),
        store.parked(name, Position::START, 1).await.err(),
        store.park(name, &[Position::new(1)], None).await.err(),
        store.replay_parked(name, None).await.err(),
        store.discard_parked(name, None).await.err(),
    ];
    for error in errors {
        let error = error.unwrap();
        assert!(
            error.is_unknown_name() && error.to_string().contains("mails"),
            "{error:?}"
        );
    }
}

pub async fn events_are_leased_in_order_and_are_gone_when_they_are_acknowledged<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    for n in 1..=5 {
        add(store, if n % 2 == 0 { "b" } else { "a" }, n).await;
    }
    let first = poll(store, 3).await.unwrap();
    assert_eq!(shown(&first), ["a:1#1", "b:2#1", "a:3#1"]);
    let positions = first.positions();
    store
        .ack(subscription(), first.lease_id, Some(&positions[..2]))
        .await
        .unwrap();
    store
        .ack(subscription(), first.lease_id, None)
        .await
        .unwrap();
    assert_eq!(polled(store).await, ["b:4#1", "a:5#1"]);
    assert_eq!(polled(store).await, [""; 0]);
    let name = consumer("c");
    for too_many in [0, 10_001] {
        let polled = store.poll_subscription(subscription(), &name, too_many, Duration::ZERO);
        assert!(polled.await.unwrap_err().is_malformed());
    }
}

pub async fn a_stream_is_out_with_one_lease_at_a_time<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    for (name, n) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
        add(store, name, n).await;
    }
    let first = poll(store, 1).await.unwrap();
    assert_eq!(shown(&first), ["a:1#1"]);
    let second = poll(store, 100).await.unwrap();
    assert_eq!(shown(&second), ["b:3#1"]);
    assert_eq!(polled(store).await, [""; 0]);
    store
        .ack(subscription(), first.lease_id, None)
        .await
        .unwrap();
    add(store, "b", 5).await;
    assert_eq!(polled(store).await, ["a:2#1", "a:4#1"]);
    store
        .ack(subscription(), second.lease_id, None)
        .await
        .unwrap();
    assert_eq!(polled(store).await, ["b:5#1"]);
}

pub async fn a_subscription_starts_where_it_is_defined_to_and_delivers_matching_events<S>(store: &S)
where
    S: SubscriptionStore,
{
    let first = add(store, "a", 1).await;
    add(store, "b", 2).await;
    for (start, wanted) in [
        (StartFrom::Start, vec!["a:1#1", "a:3#1"]),
        (StartFrom::Now, vec!["a:3#1"]),
        (StartFrom::After(first), vec!["a:3#1"]),
    ] {
        let filter = Filter::all().stream_prefix("a");
        let definition = SubscriptionDefinition::new().filter(filter).start(start);
        create(store, &definition).await;
        if start == StartFrom::Start {
            assert_eq!(polled(store).await, wanted[..1]);
        } else {
            assert_eq!(polled(store).await, [""; 0]);
        }
        store.drop_subscription(subscription()).await.unwrap();
    }
    let definition = SubscriptionDefinition::new().start(StartFrom::Now);
    create(store, &definition).await;
    add(store, "c", 4).await;
    assert_eq!(polled(store).await, ["c:4#1"]);
}

pub async fn an_expired_lease_goes_to_another_consumer_and_an_extended_one_does_not<S>(store: &S)
where
    S: SubscriptionStore,
{
    let lease = Duration::from_secs(1);
    create(store, &SubscriptionDefinition::new().lease(lease)).await;
    add(store, "a", 1).await;
    add(store, "a", 2).await;
    let first = poll(store, 100).await.unwrap();
    store.sleep(lease / 2).await;
    let lasts = store
        .extend_lease(subscription(), first.lease_id)
        .await
        .unwrap();
    assert!(lasts <= lease && lasts > lease / 2, "{lasts:?}");
    store.sleep(lease * 3 / 5).await;
    assert_eq!(polled(store).await, [""; 0]);
    store.sleep(lease * 3 / 5).await;
    assert_eq!(polled(store).await, ["a:1#1", "a:2#1"]);
    let lost = store.extend_lease(subscription(), first.lease_id).await;
    assert!(lost.unwrap_err().is_lease_lost());
    let lost = store.ack(subscription(), first.lease_id, None).await;
    assert!(lost.unwrap_err().is_lease_lost());
}

pub async fn an_acknowledgement_counts_after_the_lease_until_another_consumer_has_the_event<S>(
    store: &S,
) where
    S: SubscriptionStore,
{
    create(store, &short()).await;
    let position = add(store, "a", 1).await;
    let first = poll(store, 100).await.unwrap();
    store.sleep(Duration::from_millis(300)).await;
    store
        .ack(subscription(), first.lease_id, Some(&[position]))
        .await
        .unwrap();
    assert_eq!(polled(store).await, [""; 0]);

    add(store, "a", 2).await;
    let second = poll(store, 100).await.unwrap();
    store.sleep(Duration::from_millis(300)).await;
    // The event was alone in its lease, so the expiry counts as a failure.
    assert_eq!(polled(store).await, ["a:2#2"]);
    let lost = store
        .ack(subscription(), second.lease_id, Some(&second.positions()))
        .await
        .unwrap_err();
    assert_eq!(lost.lost_positions(), second.positions());
}

pub async fn acknowledging_what_the_lease_does_not_hold_acknowledges_nothing<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    add(store, "a", 1).await;
    let other = add(store, "b", 2).await;
    let first = poll(store, 1).await.unwrap();
    let own = first.positions()[0];
    let second = poll(store, 1).await.unwrap();
    let ack = async |lease: LeaseId, positions: &[Position]| {
        let acked = store.ack(subscription(), lease, Some(positions)).await;
        acked.unwrap_err()
    };
    let error = ack(first.lease_id, &[own, other]).await;
    assert!(error.is_lease_lost());
    assert_eq!(error.lost_positions(), [other]);
    let never = Position::new(other.get() + 1);
    let error = ack(first.lease_id, &[own, never]).await;
    assert!(
        error.is_malformed() && error.argument() == Some("positions"),
        "{error:?}"
    );
    assert!(ack(LeaseId::new(), &[own]).await.is_lease_lost());
    // Both are still leased.
    store
        .ack(subscription(), first.lease_id, Some(&[own]))
        .await
        .unwrap();
    store
        .ack(subscription(), second.lease_id, Some(&[other]))
        .await
        .unwrap();
}

pub async fn a_paused_subscription_delivers_nothing_until_it_is_resumed<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    add(store, "a", 1).await;
    let first = poll(store, 100).await.unwrap();
    store.pause_subscription(subscription()).await.unwrap();
    add(store, "b", 2).await;
    assert_eq!(polled(store).await, [""; 0]);
    store
        .ack(subscription(), first.lease_id, None)
        .await
        .unwrap();
    let (name, who) = (subscription(), consumer("waits"));
    let (waited, resumed) = tokio::join!(
        store.poll_subscription(name, &who, 100, super::PATIENCE),
        async {
            store.sleep(Duration::from_millis(50)).await;
            store.resume_subscription(subscription()).await
        }
    );
    resumed.unwrap();
    assert_eq!(shown(&waited.unwrap().unwrap()), ["b:2#1"]);
}

pub async fn a_reset_takes_all_leases_and_delivers_again<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    let one = add(store, "a", 1).await;
    add(store, "a", 2).await;
    let first = poll(store, 100).await.unwrap();
    store
        .ack(subscription(), first.lease_id, Some(&[one]))
        .await
        .unwrap();
    store.reset_subscription(subscription(), one).await.unwrap();
    let lost = store.ack(subscription(), first.lease_id, None).await;
    assert!(lost.unwrap_err().is_lease_lost());
    assert_eq!(polled(store).await, ["a:2#1"]);
    store
        .reset_subscription(subscription(), Position::START)
        .await
        .unwrap();
    assert_eq!(polled(store).await, ["a:1#1", "a:2#1"]);
    let past = store.reset_subscription(subscription(), Position::new(1_000_000));
    assert!(past.await.unwrap_err().is_malformed());
}

pub async fn a_poll_waits_for_an_event_and_for_a_retry_that_is_due<S>(store: &S)
where
    S: SubscriptionStore,
{
    create(store, &SubscriptionDefinition::new()).await;
    let (name, who) = (subscription(), consumer("waits"));
    let wait = |wait| store.poll_subscription(name, &who, 100, wait);
    assert_eq!(wait(Duration::from_millis(20)).await.unwrap(), None);
    let (waited, _) = tokio::join!(wait(super::PATIENCE), async {
        store.sleep(Duration::from_millis(50)).await;
        add(store, "a", 1).await;
    });
    let batch = waited.unwrap().unwrap();
    assert_eq!(shown(&batch), ["a:1#1"]);
    let nack = eventcore::Nack::retry().delay(Duration::from_millis(200));
    let started = std::time::Instant::now();
    store.nack(name, batch.lease_id, None, &nack).await.unwrap();
    let batch = wait(super::PATIENCE).await.unwrap().unwrap();
    assert_eq!(shown(&batch), ["a:1#2"]);
    assert!(started.elapsed() >= Duration::from_millis(200));
}
