//! Catch-up subscriptions: from where, live, filtered.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use eventcore::{EventSubscription, Filter, Position, Subscribe, Subscription};

use super::{add, declare, event, event_type};

/// The numbers of the next events.
async fn next<const N: usize>(subscription: &mut Subscription) -> [u64; N] {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let event = subscription.next_event().await.unwrap();
        assert_eq!(subscription.position(), event.position);
        *number = event.payload.to_string().parse().unwrap();
    }
    numbers
}

/// Checks that nothing arrives for a while.
async fn waits<S: EventSubscription>(store: &S, subscription: &mut Subscription) {
    let mut next = pin!(subscription.next_event());
    let mut pause = pin!(store.sleep(Duration::from_millis(60)));
    std::future::poll_fn(|cx| {
        assert!(next.as_mut().poll(cx).is_pending());
        pause.as_mut().poll(cx)
    })
    .await;
}

pub async fn a_subscription_catches_up_and_goes_on_with_what_comes<S>(store: &S)
where
    S: EventSubscription,
{
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let mut subscription = store.subscribe(Subscribe::from_start().page(2));
    assert_eq!(next(&mut subscription).await, [1, 2, 3]);
    waits(store, &mut subscription).await;
    let (live, _) = tokio::join!(next(&mut subscription), add(store, "b", 4));
    assert_eq!(live, [4]);
    for n in 5..=8 {
        add(store, "b", n).await;
    }
    assert_eq!(next(&mut subscription).await, [5, 6, 7, 8]);
}

pub async fn a_subscription_to_an_empty_store_waits_for_its_first_event<S>(store: &S)
where
    S: EventSubscription,
{
    let mut subscription = store.subscribe(Subscribe::default());
    assert_eq!(subscription.position(), Position::START);
    waits(store, &mut subscription).await;
    add(store, "a", 1).await;
    assert_eq!(next(&mut subscription).await, [1]);
}

pub async fn a_subscription_goes_on_where_another_one_ended<S>(store: &S)
where
    S: EventSubscription,
{
    for n in 1..=4 {
        add(store, "a", n).await;
    }
    let mut first = store.subscribe(Subscribe::from_start());
    assert_eq!(next(&mut first).await, [1, 2]);
    let mut second = store.subscribe(Subscribe::after(first.position()));
    drop(first);
    assert_eq!(next(&mut second).await, [3, 4]);

    let later = store.safe_position().await.unwrap();
    let mut third = store.subscribe(Subscribe::after(later));
    waits(store, &mut third).await;
    add(store, "a", 5).await;
    assert_eq!(next(&mut third).await, [5]);
}

pub async fn a_subscription_hands_out_what_its_filter_lets_through<S>(store: &S)
where
    S: EventSubscription,
{
    let filter = Filter::all()
        .stream_prefix("order_")
        .stream_prefix("a%")
        .event_type(event_type("Counted"));
    let mut subscription = store.subscribe(Subscribe::from_start().filter(filter).page(3));
    for n in 1..=20 {
        let name = ["order_1", "orders", "a%1", "ab"][n as usize % 4];
        add(store, name, n).await;
    }
    super::add_as(store, "order_1", "Other", serde_json::json!(21)).await;
    assert_eq!(
        next(&mut subscription).await,
        [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    );
    waits(store, &mut subscription).await;
    add(store, "orders", 22).await;
    waits(store, &mut subscription).await;
    add(store, "a%", 23).await;
    assert_eq!(next(&mut subscription).await, [23]);
}

pub async fn dropping_the_future_of_the_next_event_loses_none<S>(store: &S)
where
    S: EventSubscription,
{
    let mut subscription = store.subscribe(Subscribe::from_start().page(2));
    for n in 1..=9 {
        {
            let next = pin!(subscription.next_event());
            let nothing = next.poll(&mut Context::from_waker(Waker::noop()));
            assert!(nothing.is_pending());
        }
        add(store, "a", n).await;
        assert_eq!(next(&mut subscription).await, [n]);
    }
}

pub async fn every_subscription_sees_everything<S>(store: &S)
where
    S: EventSubscription,
{
    let mut subscriptions: Vec<_> = (0..5)
        .map(|_| store.subscribe(Subscribe::from_start()))
        .collect();
    let append = (1..=3).fold(
        declare(&[("a", eventcore::ExpectedVersion::Unchecked)]),
        |append, n| append.event(event("a", n)),
    );
    store.append(&append).await.unwrap();
    for subscription in &mut subscriptions {
        assert_eq!(next(subscription).await, [1, 2, 3]);
    }
}

pub async fn a_subscription_with_a_filter_of_more_than_a_thousand_elements_is_refused<S>(store: &S)
where
    S: EventSubscription,
{
    let filter = (0..1_001).fold(Filter::all(), |filter, n| {
        filter.stream_prefix(n.to_string())
    });
    let mut subscription = store.subscribe(Subscribe::from_start().filter(filter));
    let error = subscription.next_event().await.unwrap_err();
    assert!(error.is_malformed(), "{error}");
}

/// The position cannot be this store's, because no event has reached it. Waiting for it would skip
/// all events before it.
pub async fn a_subscription_after_a_position_that_the_store_never_returned_ends_with_an_error<S>(
    store: &S,
) where
    S: EventSubscription,
{
    add(store, "a", 1).await;
    let beyond = Position::new(1 << 40);
    let mut subscription = store.subscribe(Subscribe::after(beyond));
    for _ in 0..2 {
        let error = subscription.next_event().await.unwrap_err();
        assert!(error.is_diverged() && !error.is_retriable(), "{error:?}");
        assert!(error.agreed_position().unwrap() < beyond);
        assert_eq!(subscription.position(), beyond);
        add(store, "a", 2).await;
    }
}
