//! Everything that is stored with an event comes back unchanged.

use std::time::{Duration, SystemTime};

use eventcore::ExpectedVersion::{Exactly, Unchecked};
use eventcore::{
    CausationId, CorrelationId, EventId, EventStore, EventSubscription, Metadata, ReadAll,
    ReadStreams, RecordedEvent, Subscribe,
};
use serde_json::json;

use super::{add, declare, event, event_type, read, stream};

pub async fn every_field_comes_back_by_every_way_to_read<S>(store: &S)
where
    S: EventStore,
{
    add(store, "before", 1).await;
    let (correlation, causation) = (CorrelationId::new(), CausationId::new());
    let metadata = json!({
        "by": "Ada Łovelace 🦀",
        "ключ": { "深い": [1, null, true, { "é": "e\u{301}" }], "": "" },
        "empty": {},
    });
    let sent = event("a", 1).metadata(metadata.as_object().cloned().unwrap());
    let append = declare(&[("a", Exactly(0))])
        .event(sent.clone())
        .correlation_id(correlation)
        .causation_id(causation);
    let appended = store.append(&append).await.unwrap();

    let one = read(store, "a").await;
    let several = store
        .read_streams(&ReadStreams::new([stream("a")]))
        .await
        .unwrap()
        .events;
    let all = store
        .read_all(&ReadAll::new().backward().limit(1))
        .await
        .unwrap();
    for read in [one, several, all] {
        let expected = RecordedEvent {
            position: appended.first_position.unwrap(),
            stream_id: stream("a"),
            version: 1.into(),
            event_id: sent.event_id,
            event_type: event_type("Counted"),
            payload: sent.payload.clone(),
            metadata: Some(Metadata::encode(&metadata).unwrap()),
            correlation_id: Some(correlation),
            causation_id: Some(causation),
            recorded_at: appended.recorded_at,
        };
        assert_eq!(read, [expected]);
    }
}

pub async fn every_field_comes_back_by_a_subscription<S>(store: &S)
where
    S: EventSubscription,
{
    let metadata = json!({ "by": "ada" });
    let append = declare(&[("a", Exactly(0))])
        .event(event("a", 1).metadata(metadata.as_object().cloned().unwrap()))
        .correlation_id(CorrelationId::new())
        .causation_id(CausationId::new());
    store.append(&append).await.unwrap();
    let mut subscription = store.subscribe(Subscribe::from_start());
    let followed = subscription.next_event().await.unwrap();
    assert_eq!([followed], *read(store, "a").await);
}

pub async fn what_was_not_given_is_not_there<S>(store: &S)
where
    S: EventStore,
{
    add(store, "a", 1).await;
    let event = read(store, "a").await.remove(0);
    assert_eq!(event.metadata, None);
    assert_eq!((event.correlation_id, event.causation_id), (None, None));
}

/// An empty object is not the same as no metadata, and each event of an append has its own.
pub async fn each_event_of_an_append_has_its_own_metadata<S>(store: &S)
where
    S: EventStore,
{
    let metadata = [
        None,
        Some(Metadata::encode(&json!({})).unwrap()),
        Some(Metadata::encode(&json!({ "n": 3 })).unwrap()),
    ];
    let append = metadata
        .iter()
        .fold(declare(&[("a", Unchecked)]), |append, metadata| {
            let mut event = event("a", 1);
            event.metadata = metadata.clone();
            append.event(event)
        });
    store.append(&append).await.unwrap();
    let read: Vec<_> = read(store, "a")
        .await
        .into_iter()
        .map(|event| event.metadata)
        .collect();
    assert_eq!(read, metadata);
}

/// Ids of any UUID version, including the two special ones.
pub async fn event_ids_are_kept_as_they_are<S>(store: &S)
where
    S: EventStore,
{
    let ids: Vec<EventId> = [
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    ]
    .iter()
    .map(|id| id.parse().unwrap())
    .collect();
    let append = ids.iter().fold(declare(&[("a", Unchecked)]), |append, id| {
        append.event(event("a", 1).event_id(*id))
    });
    store.append(&append).await.unwrap();
    let read: Vec<_> = read(store, "a")
        .await
        .iter()
        .map(|event| event.event_id)
        .collect();
    assert_eq!(read, ids);
}

/// By the store's clock, which may differ slightly from ours, and never before an earlier event of
/// the same stream.
pub async fn events_are_recorded_about_now_and_in_order<S>(store: &S)
where
    S: EventStore,
{
    let off = Duration::from_secs(120);
    let before = SystemTime::now() - off;
    for n in 0..20 {
        add(store, "a", n).await;
    }
    let times: Vec<_> = read(store, "a")
        .await
        .iter()
        .map(|event| event.recorded_at)
        .collect();
    assert!(times.is_sorted());
    assert!(
        times[0] > before && times[19] < SystemTime::now() + off,
        "{times:?}"
    );
}
