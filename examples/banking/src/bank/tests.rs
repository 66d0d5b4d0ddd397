//! The whole run detects a store that breaks its promises.

use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, InMemoryEventStore, Page, Position, ReadAll, ReadStream,
    ReadStreams, RecordedEvent, StoreError, StreamId, StreamVersion, StreamsRead, Subscribe,
    Subscription,
};

use super::*;
use crate::transfer_file::parse;

/// A store whose subscriptions spoil what they read.
#[derive(Clone)]
struct Spoiled {
    store: InMemoryEventStore,
    spoil: fn(&mut Vec<RecordedEvent>),
}

impl EventStore for Spoiled {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.store.append(append).await
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_stream(read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.store.read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.store.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.store.safe_position().await
    }

    async fn sleep(&self, duration: Duration) {
        self.store.sleep(duration).await;
    }
}

impl EventSubscription for Spoiled {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        let store = self.clone();
        Subscription::new(subscribe.after, move |request| {
            let store = store.clone();
            async move {
                loop {
                    let mut events = store.read_all(&ReadAll::new().after(request.after)).await?;
                    if let Some(last) = events.last() {
                        let read_to = last.position;
                        (store.spoil)(&mut events);
                        return Ok(Page::new(events.into_iter().map(Ok), read_to, false));
                    }
                    store.sleep(Duration::from_millis(1)).await;
                }
            }
        })
    }
}

/// The violated invariants if subscriptions are spoiled like this.
async fn violated(spoil: fn(&mut Vec<RecordedEvent>)) -> Vec<Invariant> {
    let store = Spoiled {
        store: InMemoryEventStore::new(),
        spoil,
    };
    let lines = parse("from,to,cents\n001,002,1\n002,003,1\n003,001,1\n").unwrap();
    let audited = run(&store, lines, NonZeroUsize::MIN).await.unwrap();
    let failed = audited.report.matches("FAILED").count();
    assert_eq!(failed, audited.violated.len(), "{}", audited.report);
    audited.violated
}

#[tokio::test]
async fn a_sound_store_passes() {
    assert_eq!(violated(|_| {}).await, []);
}

#[tokio::test]
async fn a_subscription_that_forgets_an_event_does_not_pass() {
    let found = violated(|events| events.retain(|event| event.position.get() != 201)).await;
    assert_eq!(
        found,
        [
            Invariant::NothingMissed,
            Invariant::VersionsGapless,
            Invariant::BalancesAgree
        ]
    );
}

#[tokio::test]
async fn a_subscription_that_repeats_an_event_does_not_pass() {
    let found = violated(|events| {
        if let Some(index) = events.iter().position(|event| event.position.get() == 200) {
            events.insert(index, events[index].clone());
        }
    })
    .await;
    assert_eq!(
        found,
        [
            Invariant::EachEventOnce,
            Invariant::PositionsRise,
            Invariant::VersionsGapless,
            Invariant::BalancesAgree
        ]
    );
}
