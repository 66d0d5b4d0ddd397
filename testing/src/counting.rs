//! [`CountingStore`]: counts the calls of a store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use eventcore::{EventStore, StoreError};

use crate::intercept::{Call, Intercept, Intercepted};

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
pub type CountingStore<S> = Intercepted<S, Counts>;

/// The interceptor of a [`CountingStore`].
#[derive(Debug, Clone, Default)]
pub struct Counts {
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    appends: AtomicU64,
    reads: AtomicU64,
    snapshots: AtomicU64,
    /// The calls of durable subscriptions and of projections.
    others: AtomicU64,
    sleeps: AtomicU64,
}

impl<S> CountingStore<S> {
    /// Counts the calls of this store from now on.
    pub fn new(store: S) -> Self {
        Self::with(store, Counts::default())
    }

    /// The calls of `append`, including failed ones.
    pub fn appends(&self) -> u64 {
        self.counters().appends.load(Relaxed)
    }

    /// The calls that read: streams, all events, versions, the safe position.
    pub fn reads(&self) -> u64 {
        self.counters().reads.load(Relaxed)
    }

    /// The calls of `save_snapshot`.
    pub fn snapshots(&self) -> u64 {
        self.counters().snapshots.load(Relaxed)
    }

    /// All calls but those of `sleep` and `subscribe`, including those of durable subscriptions and
    /// projections.
    pub fn calls(&self) -> u64 {
        self.appends() + self.reads() + self.snapshots() + self.counters().others.load(Relaxed)
    }

    /// The calls of `sleep`: how many times a caller waited before another attempt.
    pub fn sleeps(&self) -> u64 {
        self.counters().sleeps.load(Relaxed)
    }

    fn counters(&self) -> &Counters {
        &self.interceptor.counters
    }
}

impl<S: EventStore> Intercept<S> for Counts {
    async fn call<T: Send>(
        &self,
        _store: &S,
        call: Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let calls = match call {
            Call::Append(_) => &self.counters.appends,
            Call::Read(_) => &self.counters.reads,
            Call::SaveSnapshot(_) => &self.counters.snapshots,
            Call::Subscription(..) | Call::Projection(_) => &self.counters.others,
        };
        calls.fetch_add(1, Relaxed);
        work.await
    }

    async fn sleep(&self, store: &S, duration: Duration) {
        self.counters.sleeps.fetch_add(1, Relaxed);
        store.sleep(duration).await;
    }
}
