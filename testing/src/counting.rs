//! [`CountingStore`]: counts the calls of a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, EventSubscription, Position, ReadAll, ReadStream, ReadStreams,
    RecordedEvent, Snapshot, SnapshotName, StoreError, StreamId, StreamVersion, StreamsRead,
    Subscribe, Subscription,
};

/// A store that counts its calls. If the store is on a server, each call is a round trip. A clone
/// shares the counters.
///
/// ```
/// use eventcore::{EventStore, InMemoryEventStore};
/// use eventcore_testing::CountingStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), eventcore::StoreError> {
/// let store = CountingStore::new(InMemoryEventStore::new());
/// store.safe_position().await?;
/// assert_eq!((store.calls(), store.appends()), (1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CountingStore<S> {
    store: S,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    appends: AtomicU64,
    reads: AtomicU64,
    snapshots: AtomicU64,
    sleeps: AtomicU64,
}

impl<S> CountingStore<S> {
    /// Counts the calls of this store from now on.
    pub fn new(store: S) -> Self {
        Self {
            store,
            counts: Arc::default(),
        }
    }

    /// The calls of `append`, including failed ones.
    pub fn appends(&self) -> u64 {
        self.counts.appends.load(Relaxed)
    }

    /// The calls that read: streams, all events, versions, the safe position.
    pub fn reads(&self) -> u64 {
        self.counts.reads.load(Relaxed)
    }

    /// The calls of `save_snapshot`.
    pub fn snapshots(&self) -> u64 {
        self.counts.snapshots.load(Relaxed)
    }

    /// All calls but those of `sleep` and `subscribe`.
    pub fn calls(&self) -> u64 {
        self.appends() + self.reads() + self.snapshots()
    }

    /// The calls of `sleep`: how many times a caller waited before another attempt.
    pub fn sleeps(&self) -> u64 {
        self.counts.sleeps.load(Relaxed)
    }

    /// The wrapped store.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn reading(&self) -> &S {
        self.counts.reads.fetch_add(1, Relaxed);
        &self.store
    }
}

impl<S: EventStore> EventStore for CountingStore<S> {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.counts.appends.fetch_add(1, Relaxed);
        self.store.append(append).await
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reading().read_stream(read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.reading().read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reading().read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.reading().stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.reading().safe_position().await
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        self.reading().read_from_snapshot(name, streams).await
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.counts.snapshots.fetch_add(1, Relaxed);
        self.store.save_snapshot(snapshot).await
    }

    async fn sleep(&self, duration: Duration) {
        self.counts.sleeps.fetch_add(1, Relaxed);
        self.store.sleep(duration).await;
    }
}

impl<S: EventSubscription> EventSubscription for CountingStore<S> {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        self.store.subscribe(subscribe)
    }
}
