//! Readers follow while writers commit: no event is missed, seen twice or out of order.

use std::collections::HashMap;

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    EventStore, EventSubscription, Filter, Position, ReadAll, RecordedEvent, StreamId, Subscribe,
};
use tokio::task::JoinSet;

use super::{declare, event};

const WRITERS: u64 = 6;
const APPENDS: u64 = 40;

/// Starts writers whose appends go to one to three of four streams, so that they compete there.
fn start_writers<S: EventStore + Clone + 'static>(store: &S) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..APPENDS {
                let names: Vec<_> = (0..events_of(n))
                    .map(|k| format!("{}-{}", KINDS[k as usize], (writer + n) % 4))
                    .collect();
                let streams: Vec<_> = names
                    .iter()
                    .map(|name| (name.as_str(), Unchecked))
                    .collect();
                let append = names.iter().fold(declare(&streams), |append, name| {
                    append.event(event(name, writer))
                });
                store.append(&append).await.unwrap();
            }
        });
    }
    writers
}

const KINDS: [&str; 3] = ["order", "account", "note"];

/// How many events the nth append of a writer has, each for a stream of another kind.
fn events_of(n: u64) -> u64 {
    1 + n % 3
}

/// How many events all writers write to the streams of a kind.
fn events_of_kind(kind: u64) -> usize {
    let of_one: u64 = (0..APPENDS).map(|n| u64::from(events_of(n) > kind)).sum();
    (WRITERS * of_one) as usize
}

fn all_events() -> usize {
    (0..3).map(events_of_kind).sum()
}

/// The events that a reader has seen.
#[derive(Default)]
struct Seen {
    events: usize,
    last: Position,
    versions: HashMap<StreamId, u64>,
}

impl Seen {
    /// Takes the next event, which must be the next of its stream.
    fn take(&mut self, event: &RecordedEvent) {
        assert!(
            event.position > self.last,
            "{} after {}",
            event.position,
            self.last
        );
        self.last = event.position;
        let version = self.versions.entry(event.stream_id.clone()).or_default();
        *version += 1;
        assert_eq!(event.version.get(), *version, "of {}", event.stream_id);
        self.events += 1;
    }
}

pub async fn a_reader_of_all_events_misses_none_while_others_write<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let writers = start_writers(store);
    let mut seen = Seen::default();
    while seen.events < all_events() {
        let page = store
            .read_all(&ReadAll::new().after(seen.last).limit(17))
            .await
            .unwrap();
        page.iter().for_each(|event| seen.take(event));
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
    let more = store
        .read_all(&ReadAll::new().after(seen.last))
        .await
        .unwrap();
    assert!(more.is_empty(), "{more:?}");
    let again = store
        .read_all(&ReadAll::new().limit(u32::MAX))
        .await
        .unwrap();
    assert_eq!(again.len(), all_events());
}

pub async fn a_reader_with_a_filter_misses_none_while_others_write<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let writers = start_writers(store);
    let mut seen = Seen::default();
    let read = ReadAll::new()
        .limit(5)
        .filter(Filter::all().stream_prefix("note-"));
    while seen.events < events_of_kind(2) {
        let page = store
            .read_all(&read.clone().after(seen.last))
            .await
            .unwrap();
        page.iter().for_each(|event| seen.take(event));
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
    let more = store.read_all(&read.after(seen.last)).await.unwrap();
    assert!(more.is_empty(), "{more:?}");
}

/// Events up to the safe position never change.
pub async fn nothing_appears_at_or_before_the_safe_position<S>(store: &S)
where
    S: EventStore + Clone + 'static,
{
    let mut writers = start_writers(store);
    while !writers.is_empty() {
        let safe = store.safe_position().await.unwrap();
        let before = up_to(store, safe).await;
        tokio::task::yield_now().await;
        assert_eq!(up_to(store, safe).await, before);
        while let Some(done) = writers.try_join_next() {
            done.unwrap();
        }
    }
    let safe = store.safe_position().await.unwrap();
    assert_eq!(up_to(store, safe).await.len(), all_events());
}

async fn up_to(store: &impl EventStore, position: Position) -> Vec<Position> {
    let all = store
        .read_all(&ReadAll::new().limit(u32::MAX))
        .await
        .unwrap();
    let positions = all.iter().map(|event| event.position);
    positions.filter(|at| *at <= position).collect()
}

pub async fn subscriptions_miss_nothing_while_others_write<S>(store: &S)
where
    S: EventSubscription + Clone + 'static,
{
    let filters = [
        (Filter::all(), all_events()),
        (Filter::all().stream_prefix("order-"), events_of_kind(0)),
        (Filter::all().stream_prefix("note-"), events_of_kind(2)),
    ];
    let mut readers = JoinSet::new();
    for (filter, events) in filters {
        let mut subscription = store.subscribe(Subscribe::from_start().filter(filter).page(7));
        readers.spawn(async move {
            let mut seen = Seen::default();
            while seen.events < events {
                seen.take(&subscription.next_event().await.unwrap());
            }
        });
    }
    let writers = start_writers(store);
    writers.join_all().await;
    readers.join_all().await;
}
