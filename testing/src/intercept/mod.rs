//! [`Intercepted`]: any store, with an [`Intercept`] of yours between the store and its caller.
//!
//! Use it to make a store fail, wait or lie in a test, or to see what a program asks of it. An
//! interceptor implements only the methods that it needs; [`Intercepted`] implements all traits of
//! stores that the wrapped store implements. [`ChaosStore`](crate::ChaosStore) and
//! [`CountingStore`](crate::CountingStore) are made of it.
//!
//! ```
//! use eventcore::{EventStore, InMemoryEventStore, StoreError};
//! use eventcore_testing::intercept::{Call, Intercept, Intercepted};
//!
//! /// Refuses every append.
//! struct ReadOnly;
//!
//! impl<S: EventStore> Intercept<S> for ReadOnly {
//!     async fn call<T: Send>(
//!         &self,
//!         _store: &S,
//!         call: Call<'_>,
//!         work: impl Future<Output = Result<T, StoreError>> + Send,
//!     ) -> Result<T, StoreError> {
//!         match call {
//!             Call::Append(_) => Err(StoreError::transient("the store is read-only")),
//!             _ => work.await,
//!         }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), StoreError> {
//! let store = Intercepted::with(InMemoryEventStore::new(), ReadOnly);
//! store.safe_position().await?;
//! assert!(store.append(&Default::default()).await.is_err());
//! # Ok(())
//! # }
//! ```

mod call;
mod store;

use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, EventSubscription, ReadAll, ReadStream, ReadStreams,
    RecordedEvent, Snapshot, SnapshotName, StoreError, StreamId, StreamsRead, Subscribe,
    Subscription, SubscriptionStore,
};

pub use self::call::{Call, ProjectionCall, ReadCall, SubscriptionCall};

/// What happens to the calls of a store. By default nothing: each call goes to the store.
///
/// [`call`](Self::call) surrounds every call, so it can delay it, fail it, or look at it. The
/// methods below it do the work of one call, so they can change its arguments or its answer.
pub trait Intercept<S: EventStore>: Send + Sync {
    /// Surrounds a call. `work` is the call itself: it does nothing until it is awaited.
    ///
    /// # Errors
    ///
    /// Those of the store, and those that the interceptor makes up.
    fn call<T: Send>(
        &self,
        _store: &S,
        _call: Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        work
    }

    /// The work of [`EventStore::append`].
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call).
    fn append(
        &self,
        store: &S,
        append: &Append,
    ) -> impl Future<Output = Result<Appended, StoreError>> + Send {
        store.append(append)
    }

    /// The work of [`EventStore::read_stream`].
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call).
    fn read_stream(
        &self,
        store: &S,
        read: &ReadStream,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, StoreError>> + Send {
        store.read_stream(read)
    }

    /// The work of [`EventStore::read_streams`].
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call).
    fn read_streams(
        &self,
        store: &S,
        read: &ReadStreams,
    ) -> impl Future<Output = Result<StreamsRead, StoreError>> + Send {
        store.read_streams(read)
    }

    /// The work of [`EventStore::read_all`].
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call).
    fn read_all(
        &self,
        store: &S,
        read: &ReadAll,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, StoreError>> + Send {
        store.read_all(read)
    }

    /// The work of [`EventStore::read_from_snapshot`].
    ///
    /// # Errors
    ///
    /// Like [`call`](Self::call).
    fn read_from_snapshot(
        &self,
        store: &S,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<(Option<Snapshot>, StreamsRead), StoreError>> + Send {
        store.read_from_snapshot(name, streams)
    }

    /// [`EventStore::sleep`], which cannot fail, so [`call`](Self::call) does not see it.
    fn sleep(&self, store: &S, duration: Duration) -> impl Future<Output = ()> + Send {
        store.sleep(duration)
    }

    /// [`EventSubscription::subscribe`], which [`call`](Self::call) does not see: a subscription
    /// reads from the wrapped store.
    fn subscribe(&self, store: &S, subscribe: Subscribe) -> Subscription
    where
        S: EventSubscription,
    {
        store.subscribe(subscribe)
    }

    /// [`SubscriptionStore::in_background`], which [`call`](Self::call) does not see.
    fn in_background(&self, store: &S, work: impl Future<Output = ()> + Send + 'static)
    where
        S: SubscriptionStore,
    {
        store.in_background(work);
    }
}

/// A store whose calls go through an interceptor. It implements the traits of stores that the
/// wrapped store implements.
#[derive(Debug, Clone, Default)]
pub struct Intercepted<S, I> {
    pub(crate) store: S,
    pub(crate) interceptor: I,
}

impl<S, I> Intercepted<S, I> {
    /// This store, with this interceptor between it and its callers.
    pub fn with(store: S, interceptor: I) -> Self {
        Self { store, interceptor }
    }

    /// The wrapped store, whose calls are not intercepted.
    pub fn inner(&self) -> &S {
        &self.store
    }

    /// The interceptor.
    pub fn interceptor(&self) -> &I {
        &self.interceptor
    }
}
