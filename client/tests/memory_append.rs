//! What the memory store promises of appends.

mod support;

use eventcore::ExpectedVersion::{Exactly, Exists, Unchecked};
use eventcore::{
    CausationId, CorrelationId, EventId, EventStore, InMemoryEventStore, Position, ReadAll,
    ReadStream, StreamVersion, VersionConflict,
};
use serde_json::json;
use support::{add, append, event, stream};

#[tokio::test]
async fn versions_are_gapless_per_stream_and_positions_rise_over_all() {
    let store = InMemoryEventStore::new();
    let both = append(&[("a", Exactly(0)), ("b", Exactly(0))])
        .event(event("a", 1))
        .event(event("b", 2))
        .event(event("a", 3));
    let appended = store.append(&both).await.unwrap();
    assert_eq!(appended.first_position, Some(Position::new(1)));
    assert_eq!(appended.last_position, Some(Position::new(3)));
    assert_eq!(
        appended.versions,
        [StreamVersion::new(2), StreamVersion::new(1)]
    );
    assert!(!appended.repeated);

    let all = store.read_all(&ReadAll::new()).await.unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|event| {
            (
                event.position.get(),
                event.stream_id.as_str(),
                event.version.get(),
            )
        })
        .collect();
    assert_eq!(seen, [(1, "a", 1), (2, "b", 1), (3, "a", 2)]);
}

#[tokio::test]
async fn all_conflicts_are_reported_at_once_and_nothing_is_written() {
    let store = InMemoryEventStore::new();
    add(&store, "a", 1).await;
    let stale = append(&[
        ("a", Exactly(0)),
        ("b", Exists),
        ("c", Exactly(0)),
        ("d", Exactly(7)),
        ("e", Unchecked),
    ])
    .event(event("c", 1));
    let error = store.append(&stale).await.unwrap_err();
    assert!(error.is_version_conflict() && error.is_retriable());
    assert_eq!(
        error.conflicts(),
        [
            VersionConflict {
                stream: stream("a"),
                expected: Exactly(0),
                actual: 1
            },
            VersionConflict {
                stream: stream("b"),
                expected: Exists,
                actual: 0
            },
            VersionConflict {
                stream: stream("d"),
                expected: Exactly(7),
                actual: 0
            },
        ]
    );
    assert_eq!(store.safe_position().await.unwrap(), Position::new(1));
}

#[tokio::test]
async fn a_stream_that_is_only_checked_is_checked_and_its_version_is_returned() {
    let store = InMemoryEventStore::new();
    add(&store, "rates", 1).await;
    let checked = append(&[("rates", Exactly(1)), ("order", Exactly(0))]).event(event("order", 1));
    let appended = store.append(&checked).await.unwrap();
    assert_eq!(
        appended.versions,
        [StreamVersion::new(1), StreamVersion::new(1)]
    );

    add(&store, "rates", 2).await;
    let stale = append(&[("rates", Exactly(1)), ("order", Exactly(1))]).event(event("order", 2));
    let error = store.append(&stale).await.unwrap_err();
    assert_eq!(error.conflicts().len(), 1);
    assert_eq!(error.conflicts()[0].stream, "rates");
}

#[tokio::test]
async fn without_events_an_append_only_checks() {
    let store = InMemoryEventStore::new();
    let checked = store.append(&append(&[("a", Exactly(0))])).await.unwrap();
    assert_eq!(
        (checked.first_position, checked.last_position),
        (None, None)
    );
    assert_eq!(checked.versions, [StreamVersion::EMPTY]);
    let error = store.append(&append(&[("a", Exists)])).await.unwrap_err();
    assert!(error.is_version_conflict());
}

#[tokio::test]
async fn an_event_for_a_stream_that_is_not_declared_is_refused() {
    let store = InMemoryEventStore::new();
    let error = store
        .append(&append(&[("a", Unchecked)]).event(event("b", 1)))
        .await
        .unwrap_err();
    assert!(error.is_undeclared_stream() && !error.is_retriable());
    assert_eq!(error.stream(), Some("b"));
}

#[tokio::test]
async fn what_is_malformed_is_refused() {
    let store = InMemoryEventStore::new();
    let mut null = event("a", 1);
    null.payload = json!(null).into();
    let mut nul = event("a", 1);
    nul.payload = json!({ "text": ["a\0b"] }).into();
    let mut nul_key = event("a", 1);
    nul_key.metadata = json!({ "a\0b": 1 }).as_object().cloned();
    let twin = event("a", 1);
    let many: Vec<_> = (0..1_001).map(|n| (n.to_string(), Unchecked)).collect();
    let many: Vec<_> = many
        .iter()
        .map(|(id, expected)| (id.as_str(), *expected))
        .collect();
    let a = append(&[("a", Unchecked)]);
    for malformed in [
        append(&[("a", Unchecked), ("b", Unchecked), ("a", Unchecked)]),
        a.clone().event(null),
        a.clone().event(nul),
        a.clone().event(nul_key),
        a.event(twin.clone()).event(twin),
        append(&many),
        append(&[]),
    ] {
        let error = store.append(&malformed).await.unwrap_err();
        assert!(error.is_malformed() && !error.is_retriable(), "{error}");
    }
    assert_eq!(store.safe_position().await.unwrap(), Position::START);
}

#[tokio::test]
async fn the_same_append_again_returns_the_first_result_and_writes_nothing() {
    let store = InMemoryEventStore::new();
    add(&store, "checked", 1).await;
    let first = append(&[
        ("a", Exactly(0)),
        ("checked", Exactly(1)),
        ("b", Exactly(0)),
    ])
    .event(event("a", 1))
    .event(event("b", 2))
    .event(event("a", 3));
    let written = store.append(&first).await.unwrap();
    add(&store, "a", 4).await;
    add(&store, "checked", 2).await;

    let again = store.append(&first).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.versions, written.versions);
    assert_eq!(again.first_position, written.first_position);
    assert_eq!(again.last_position, written.last_position);
    assert_eq!(again.recorded_at, written.recorded_at);
    assert_eq!(store.safe_position().await.unwrap(), Position::new(6));
}

#[tokio::test]
async fn the_same_ids_with_other_content_are_refused() {
    let store = InMemoryEventStore::new();
    let first = append(&[("a", Exactly(0))])
        .event(event("a", 1))
        .event(event("a", 2));
    store.append(&first).await.unwrap();
    let id = first.events[0].event_id;

    let mut payload = first.clone();
    payload.events[0].payload = json!({ "n": 9 }).into();
    let mut metadata = first.clone();
    metadata.events[0].metadata = json!({ "by": "ada" }).as_object().cloned();
    let mut event_type = first.clone();
    event_type.events[0].event_type = support::event_type("Other");
    let mut fewer_known = first.clone();
    fewer_known.events[1].event_id = EventId::new();
    let mut unchecked = first.clone();
    unchecked.streams[0].1 = Unchecked;
    unchecked.events[0].payload = json!({ "n": 9 }).into();
    for other in [payload, metadata, event_type, fewer_known, unchecked] {
        let error = store.append(&other).await.unwrap_err();
        assert!(
            error.is_idempotency_mismatch() && !error.is_retriable(),
            "{error}"
        );
        assert!(error.mismatched_event_ids().contains(&id));
    }
    assert_eq!(store.safe_position().await.unwrap(), Position::new(2));
}

#[tokio::test]
async fn an_unchecked_append_is_recognised_until_100_events_came_after_it() {
    let store = InMemoryEventStore::new();
    let first = append(&[("a", Unchecked)]).event(event("a", 1));
    store.append(&first).await.unwrap();
    for n in 2..=100 {
        add(&store, "a", n).await;
        let again = store.append(&first).await.unwrap();
        assert!(again.repeated);
        assert_eq!(again.first_position, Some(Position::new(1)));
        assert_eq!(again.versions, [StreamVersion::new(1)]);
    }
    // Behind that it is another append.
    add(&store, "a", 101).await;
    let another = store.append(&first).await.unwrap();
    assert!(!another.repeated);
}

/// Ids are compared where the events of a repeat would be, and nowhere else.
#[tokio::test]
async fn an_id_in_use_in_another_stream_is_not_looked_for() {
    let store = InMemoryEventStore::new();
    let taken = event("a", 1);
    store
        .append(&append(&[("a", Exactly(0))]).event(taken.clone()))
        .await
        .unwrap();
    let mut elsewhere = event("b", 1);
    elsewhere.event_id = taken.event_id;
    let appended = store
        .append(&append(&[("b", Exactly(0))]).event(elsewhere))
        .await
        .unwrap();
    assert!(!appended.repeated);
}

#[tokio::test]
async fn the_same_ids_in_another_order_are_a_mismatch() {
    let store = InMemoryEventStore::new();
    let mut append = append(&[("a", Exactly(0))])
        .event(event("a", 1))
        .event(event("a", 2));
    store.append(&append).await.unwrap();
    append.events.swap(0, 1);
    let error = store.append(&append).await.unwrap_err();
    assert!(error.is_idempotency_mismatch());
}

#[tokio::test]
async fn every_field_comes_back() {
    let store = InMemoryEventStore::new();
    let (correlation, causation) = (CorrelationId::new(), CausationId::new());
    let metadata = json!({ "by": "ada", "ü": [1, null] })
        .as_object()
        .cloned()
        .unwrap();
    let sent = event("a", 1).metadata(metadata.clone());
    let append = append(&[("a", Exactly(0))])
        .event(sent.clone())
        .correlation_id(correlation)
        .causation_id(causation);
    let appended = store.append(&append).await.unwrap();
    let read = store
        .read_stream(&ReadStream::new(stream("a")))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(read.event_id, sent.event_id);
    assert_eq!(read.event_type, sent.event_type);
    assert_eq!(read.payload, sent.payload);
    assert_eq!(read.metadata, Some(metadata));
    assert_eq!(read.correlation_id, Some(correlation));
    assert_eq!(read.causation_id, Some(causation));
    assert_eq!(read.recorded_at, appended.recorded_at);
}

#[test]
fn of_concurrent_appends_at_the_same_version_one_is_written() {
    let store = InMemoryEventStore::new();
    let written: usize = std::thread::scope(|scope| {
        let runners: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                scope.spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .build()
                        .unwrap();
                    (0..200)
                        .filter(|version| {
                            let append = append(&[("a", Exactly(*version))]).event(event("a", n));
                            runtime.block_on(store.append(&append)).is_ok()
                        })
                        .count()
                })
            })
            .collect();
        runners
            .into_iter()
            .map(|runner| runner.join().unwrap())
            .sum()
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let events = runtime
        .block_on(store.read_stream(&ReadStream::new(stream("a"))))
        .unwrap();
    assert_eq!(events.len(), written);
    let versions: Vec<_> = events.iter().map(|event| event.version.get()).collect();
    assert_eq!(versions, (1..=written as u64).collect::<Vec<_>>());
}
