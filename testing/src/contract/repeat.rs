//! Repeated appends: which are recognised, and which are refused.

use std::time::Duration;

use eventcore::ExpectedVersion::{Exactly, Exists, Unchecked};
use eventcore::{Append, Appended, EventId, EventStore, Metadata, ReadAll};
use serde_json::json;

use super::{add, declare, event, event_type, read, told, with_payload};

async fn events(store: &impl EventStore) -> usize {
    store.read_all(&ReadAll::new()).await.unwrap().len()
}

/// Sends it again, and expects the first answer.
async fn repeats(store: &impl EventStore, append: &Append, written: &Appended) {
    let before = events(store).await;
    let again = store.append(append).await.unwrap();
    assert!(again.repeated && !written.repeated);
    let first = Appended {
        repeated: true,
        ..written.clone()
    };
    assert_eq!(again, first);
    assert_eq!(events(store).await, before);
}

pub async fn the_same_append_again_returns_the_first_result_and_writes_nothing<S>(store: &S)
where
    S: EventStore,
{
    add(store, "checked", 1).await;
    let streams = [
        ("a", Exactly(0)),
        ("checked", Exactly(1)),
        ("b", Exactly(0)),
    ];
    let append = declare(&streams)
        .event(event("a", 1))
        .event(event("b", 2))
        .event(event("a", 3));
    let written = store.append(&append).await.unwrap();
    for _ in 0..2 {
        repeats(store, &append, &written).await;
    }
    // It was written, whatever happened to its streams.
    store.sleep(Duration::from_millis(5)).await;
    for n in 0..150 {
        add(store, ["a", "b", "checked"][n as usize % 3], n).await;
    }
    repeats(store, &append, &written).await;
}

pub async fn a_repeat_in_a_stream_that_was_not_empty_is_recognised<S>(store: &S)
where
    S: EventStore,
{
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    let append = declare(&[("a", Exactly(3)), ("b", Exists)]).event(event("a", 4));
    let error = store.append(&append).await.unwrap_err();
    assert_eq!(error.conflicts().len(), 1);
    add(store, "b", 1).await;
    let written = store.append(&append).await.unwrap();
    add(store, "a", 5).await;
    repeats(store, &append, &written).await;
}

pub async fn an_unchecked_append_is_recognised_until_100_events_came_after_it<S>(store: &S)
where
    S: EventStore,
{
    let first = declare(&[("a", Unchecked)]).event(event("a", 1));
    let written = store.append(&first).await.unwrap();
    for n in 2..=100 {
        add(store, "a", n).await;
    }
    repeats(store, &first, &written).await;
    // After that it is another append.
    add(store, "a", 101).await;
    let another = store.append(&first).await.unwrap();
    assert!(!another.repeated);
    assert_eq!(read(store, "a").await.len(), 102);
}

pub async fn the_same_ids_with_other_content_are_refused_and_named<S>(store: &S)
where
    S: EventStore,
{
    let first = declare(&[("a", Exactly(0))])
        .event(event("a", 1))
        .event(event("a", 2));
    store.append(&first).await.unwrap();
    let ids = [first.events[0].event_id, first.events[1].event_id];

    let mut payload = first.clone();
    payload.events[0] = with_payload(&first.events[0], json!({ "n": 9 }));
    let mut metadata = first.clone();
    metadata.events[0].metadata = Some(Metadata::encode(&json!({ "by": "ada" })).unwrap());
    let mut event_type_of = first.clone();
    event_type_of.events[0].event_type = event_type("Other");
    let mut unchecked = payload.clone();
    unchecked.streams[0].1 = Unchecked;
    let mut longer = first.clone();
    longer.events.push(event("a", 3));
    let mut second_is_new = first.clone();
    second_is_new.events[1].event_id = EventId::new();
    for other in [
        payload,
        metadata,
        event_type_of,
        unchecked,
        second_is_new,
        longer,
    ] {
        let error = store.append(&other).await.unwrap_err();
        assert!(
            error.is_idempotency_mismatch() && !error.is_retriable(),
            "{error}"
        );
        let named = error.mismatched_event_ids();
        assert!(named.contains(&ids[0]), "{named:?}");
        assert!(named.iter().all(|id| ids.contains(id)), "{named:?}");
    }
    let mut both = first.clone();
    for event in &mut both.events {
        *event = with_payload(event, json!(9));
    }
    let error = store.append(&both).await.unwrap_err();
    assert_eq!(error.mismatched_event_ids(), ids);
    assert_eq!(told(&read(store, "a").await), ["a@1:1", "a@2:2"]);
}

pub async fn the_same_ids_in_another_order_are_a_mismatch<S>(store: &S)
where
    S: EventStore,
{
    let mut append = declare(&[("a", Exactly(0))])
        .event(event("a", 1))
        .event(event("a", 2));
    store.append(&append).await.unwrap();
    append.events.swap(0, 1);
    let error = store.append(&append).await.unwrap_err();
    assert!(error.is_idempotency_mismatch(), "{error}");
}

/// Ids are compared only where the events of a repeat would be.
pub async fn an_id_in_use_in_another_stream_is_not_looked_for<S>(store: &S)
where
    S: EventStore,
{
    let taken = event("a", 1);
    let append = declare(&[("a", Exactly(0))]).event(taken.clone());
    store.append(&append).await.unwrap();
    for expected in [Exactly(0), Unchecked] {
        let elsewhere = event("b", 1).event_id(taken.event_id);
        let name = if expected == Unchecked { "c" } else { "b" };
        let mut append = declare(&[(name, expected)]).event(elsewhere);
        append.events[0].stream_id = append.streams[0].0.clone();
        assert!(!store.append(&append).await.unwrap().repeated);
    }
}

/// An append with another correlation id and another order of keys is still a repeat.
pub async fn the_order_of_keys_makes_no_difference_to_a_repeat<S>(store: &S)
where
    S: EventStore,
{
    let mut first = declare(&[("a", Exactly(0))]).event(event("a", 1));
    let keys = json!({ "b": 1, "a": { "d": 2.5, "c": [1, 2] } });
    first.events[0] = with_payload(&first.events[0], keys);
    let written = store.append(&first).await.unwrap();
    let mut again = first.clone();
    let keys = json!({ "a": { "c": [1, 2], "d": 2.5 }, "b": 1 });
    again.events[0] = with_payload(&first.events[0], keys);
    repeats(store, &again, &written).await;
}

pub async fn a_check_without_events_is_made_again_each_time<S>(store: &S)
where
    S: EventStore,
{
    let check = declare(&[("a", Exactly(0))]);
    for _ in 0..2 {
        assert!(!store.append(&check).await.unwrap().repeated);
    }
    add(store, "a", 1).await;
    let error = store.append(&check).await.unwrap_err();
    assert!(error.is_version_conflict());
}
