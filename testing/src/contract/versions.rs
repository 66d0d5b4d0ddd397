//! What an append writes: everything or nothing, at the next versions and positions, with all
//! declared streams checked.

use eventcore::EventStore;
use eventcore::ExpectedVersion::{Exactly, Exists};
use eventcore::{Position, ReadAll, StreamVersion};
use serde_json::json;

use super::{add, declare, event, read, stream, told, with_payload};

pub async fn versions_are_gapless_per_stream_and_positions_rise_over_all<S>(store: &S)
where
    S: EventStore,
{
    let both = declare(&[("a", Exactly(0)), ("b", Exactly(0))])
        .event(event("a", 1))
        .event(event("b", 2))
        .event(event("a", 3));
    let appended = store.append(&both).await.unwrap();
    assert_eq!(appended.versions, [2, 1].map(StreamVersion::new));
    assert!(!appended.repeated);
    let last = add(store, "b", 4).await;

    let all = store.read_all(&ReadAll::new()).await.unwrap();
    assert_eq!(told(&all), ["a@1:1", "b@1:2", "a@2:3", "b@2:4"]);
    assert!(all.is_sorted_by(|one, next| one.position < next.position));
    assert_eq!(appended.first_position, Some(all[0].position));
    assert_eq!(appended.last_position, Some(all[2].position));
    assert_eq!(last, all[3].position);
    assert_eq!(read(store, "a").await, [all[0].clone(), all[2].clone()]);
}

pub async fn the_events_of_an_append_are_recorded_at_one_time_and_in_the_order_sent<S>(store: &S)
where
    S: EventStore,
{
    let names: Vec<_> = (0..20).map(|n| format!("stream-{n}")).collect();
    let declared: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Exactly(0)))
        .collect();
    // Neither in the order of the declarations nor stream by stream.
    let append = (0..100).fold(declare(&declared), |append, n: u64| {
        append.event(event(&names[(n as usize * 7) % 20], n))
    });
    let appended = store.append(&append).await.unwrap();
    assert_eq!(appended.versions, [StreamVersion::new(5); 20]);

    let all = store.read_all(&ReadAll::new()).await.unwrap();
    let ids: Vec<_> = all.iter().map(|event| event.event_id).collect();
    let sent: Vec<_> = append.events.iter().map(|event| event.event_id).collect();
    assert_eq!(ids, sent);
    assert!(
        all.iter()
            .all(|event| event.recorded_at == appended.recorded_at)
    );
    for name in &names {
        let versions: Vec<_> = read(store, name)
            .await
            .iter()
            .map(|event| event.version.get())
            .collect();
        assert_eq!(versions, [1, 2, 3, 4, 5]);
    }
}

/// Valid events come before, between and after the invalid one, in its own and in other streams.
pub async fn a_bad_event_among_good_ones_keeps_all_of_them_from_being_written<S>(store: &S)
where
    S: EventStore,
{
    add(store, "a", 0).await;
    let streams = [("a", Exactly(1)), ("b", Exactly(0))];
    let good = declare(&streams).event(event("a", 1)).event(event("b", 2));
    let twin = good.events[0].clone();
    let null = with_payload(&event("b", 3), json!(null));
    for bad in [null, event("undeclared", 3), twin] {
        let append = good
            .clone()
            .event(bad)
            .event(event("b", 4))
            .event(event("a", 5));
        store.append(&append).await.unwrap_err();
    }
    let mut stale = good.clone().event(event("b", 3));
    stale.streams[1].1 = Exists;
    store.append(&stale).await.unwrap_err();

    let all = store.read_all(&ReadAll::new()).await.unwrap();
    assert_eq!(told(&all), ["a@1:0"]);
    let versions = store
        .stream_versions(&[stream("a"), stream("b")])
        .await
        .unwrap();
    assert_eq!(versions, [1, 0].map(StreamVersion::new));
    // And nothing of it is left behind.
    store.append(&good).await.unwrap();
    assert_eq!(told(&read(store, "b").await), ["b@1:2"]);
}

pub async fn a_stream_that_is_only_checked_is_checked_and_its_version_is_returned<S>(store: &S)
where
    S: EventStore,
{
    add(store, "rates", 1).await;
    let checked = declare(&[("rates", Exactly(1)), ("order", Exactly(0))]).event(event("order", 1));
    let appended = store.append(&checked).await.unwrap();
    assert_eq!(appended.versions, [1, 1].map(StreamVersion::new));

    add(store, "rates", 2).await;
    let stale = declare(&[("rates", Exactly(1)), ("order", Exactly(1))]).event(event("order", 2));
    let error = store.append(&stale).await.unwrap_err();
    assert_eq!(error.conflicts().len(), 1);
    assert_eq!(error.conflicts()[0].stream, "rates");
    assert_eq!(read(store, "order").await.len(), 1);
}

pub async fn without_events_an_append_only_checks<S>(store: &S)
where
    S: EventStore,
{
    add(store, "a", 1).await;
    let both = [("a", Exactly(1)), ("b", Exactly(0))];
    let checked = store.append(&declare(&both)).await.unwrap();
    assert_eq!(
        (checked.first_position, checked.last_position),
        (None, None)
    );
    assert_eq!(checked.versions, [1, 0].map(StreamVersion::new));
    assert!(!checked.repeated);
    let error = store.append(&declare(&[("b", Exists)])).await.unwrap_err();
    assert!(error.is_version_conflict());
    assert_eq!(store.read_all(&ReadAll::new()).await.unwrap().len(), 1);
}

pub async fn the_versions_of_streams_come_in_the_order_asked_for<S>(store: &S)
where
    S: EventStore,
{
    for n in 1..=3 {
        add(store, "a", n).await;
    }
    add(store, "b", 1).await;
    let asked = ["b", "none", "a"].map(stream);
    let versions = store.stream_versions(&asked).await.unwrap();
    assert_eq!(versions, [1, 0, 3].map(StreamVersion::new));
    assert_eq!(store.stream_versions(&[]).await.unwrap(), []);
}

/// The safe position of an empty store is the start. At rest it is at or above the last event.
pub async fn the_safe_position_follows_what_is_written<S>(store: &S)
where
    S: EventStore,
{
    let at_first = store.safe_position().await.unwrap();
    assert_eq!(at_first, Position::START);
    for n in 1..=3 {
        let position = add(store, "a", n).await;
        let safe = store.safe_position().await.unwrap();
        assert!(safe >= position, "{safe} {position}");
    }
}
