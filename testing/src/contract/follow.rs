//! Catch-up subscriptions: typed, and with signals.

use std::error::Error;
use std::pin::pin;
use std::task::{Context, Waker};

use eventcore::{EventSubscription, Filter, Followed, Subscribe};
use serde_json::json;

use super::{Counted, add, add_as};

pub async fn events_are_decoded_and_what_cannot_be_is_named_and_passed_over<S>(store: &S)
where
    S: EventSubscription,
{
    add(store, "a", 1).await;
    let unknown = add_as(store, "b", "Unheard", json!(2)).await;
    let wrong = add_as(store, "c", "Counted", json!("three")).await;
    add(store, "a", 4).await;
    let mut subscription = store
        .subscribe(Subscribe::from_start().page(2))
        .typed::<Counted>();
    let event = subscription.next_event().await.unwrap();
    assert_eq!((event.event, event.version.get()), (Counted(1), 1));
    for (position, stream, event_type) in [(unknown, "b", "Unheard"), (wrong, "c", "Counted")] {
        let error = subscription.next_event().await.unwrap_err();
        assert!(error.is_undecodable() && error.source().is_some());
        assert_eq!(error.position(), Some(position));
        assert_eq!(error.stream_id().unwrap(), stream);
        assert_eq!(error.event_type().unwrap(), event_type);
        assert_eq!(subscription.position(), position);
        let told = error.to_string();
        assert!(
            told.contains(&position.to_string()) && told.contains(stream),
            "{told}"
        );
    }
    let event = subscription.next_event().await.unwrap();
    assert_eq!((event.event, event.version.get()), (Counted(4), 2));
}

pub async fn caught_up_comes_after_the_last_event_and_fell_behind_when_more_than_a_page_is_left<S>(
    store: &S,
) where
    S: EventSubscription,
{
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let typed = store
        .subscribe(Subscribe::from_start().page(2))
        .typed::<Counted>();
    let mut followed = typed.with_signals();
    for n in 1..=3 {
        assert_eq!(number(followed.next_followed().await.unwrap()), Some(n));
    }
    let signal = followed.next_followed().await.unwrap();
    assert!(matches!(signal, Followed::CaughtUp { position } if position == followed.position()));

    // One event at a time is live.
    for n in 4..=5 {
        let (next, _) = tokio::join!(followed.next_followed(), add(store, "a", n));
        assert_eq!(number(next.unwrap()), Some(n));
    }
    // Three events arrive while the reader does not poll.
    for n in 6..=8 {
        add(store, "a", n).await;
    }
    let signal = followed.next_followed().await.unwrap();
    assert!(matches!(signal, Followed::FellBehind { .. }), "{signal:?}");
    for n in 6..=8 {
        assert_eq!(number(followed.next_followed().await.unwrap()), Some(n));
    }
    let signal = followed.next_followed().await.unwrap();
    assert!(matches!(signal, Followed::CaughtUp { .. }), "{signal:?}");
}

pub async fn a_store_without_matching_events_is_caught_up_with_at_once<S>(store: &S)
where
    S: EventSubscription,
{
    let last = add(store, "a", 1).await;
    let wanted = Filter::all().stream_prefix("b");
    let subscription = store.subscribe(Subscribe::from_start().filter(wanted));
    let mut followed = subscription.with_signals();
    let signal = followed.next_followed().await.unwrap();
    assert!(
        matches!(signal, Followed::CaughtUp { position } if position >= last),
        "{signal:?}"
    );
    let mut plain = followed.into_inner();
    let (next, position) = tokio::join!(plain.next_event(), async {
        add(store, "a", 2).await;
        add(store, "b", 3).await
    });
    assert_eq!(next.unwrap().position, position);
    let mut next = pin!(plain.next_event());
    let nothing = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(nothing.is_pending());
}

fn number(followed: Followed<eventcore::StoredEvent<Counted>>) -> Option<u64> {
    match followed {
        Followed::Event(event) => Some(event.event.0),
        _ => None,
    }
}
