//! The traits of stores for [`Intercepted`]: each call goes through the interceptor. This is the
//! only place that forwards the methods of a store.

use std::error::Error;
use std::time::Duration;

use eventcore::{
    Append, Appended, ConsumerName, EventStore, EventSubscription, LeaseId, LeasedBatch, Nack,
    NackOutcome, ParkedEvent, Position, ProjectionName, ProjectionStore, ReadAll, ReadStream,
    ReadStreams, RecordedEvent, Snapshot, SnapshotName, StoreError, StreamId, StreamVersion,
    StreamsRead, Subscribe, Subscription, SubscriptionDefinition, SubscriptionName,
    SubscriptionStore,
};

use super::{Call, Intercept, Intercepted, ProjectionCall, ReadCall, SubscriptionCall};

impl<S: EventStore, I: Intercept<S>> EventStore for Intercepted<S, I> {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let work = self.interceptor.append(&self.store, append);
        self.call(Call::Append(append), work).await
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        let work = self.interceptor.read_stream(&self.store, read);
        self.call(Call::Read(ReadCall::Stream(read)), work).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        let work = self.interceptor.read_streams(&self.store, read);
        self.call(Call::Read(ReadCall::Streams(read)), work).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        let work = self.interceptor.read_all(&self.store, read);
        self.call(Call::Read(ReadCall::All(read)), work).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        let work = self.store.stream_versions(streams);
        self.call(Call::Read(ReadCall::Versions(streams)), work)
            .await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        let work = self.store.safe_position();
        self.call(Call::Read(ReadCall::SafePosition), work).await
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        let work = self
            .interceptor
            .read_from_snapshot(&self.store, name, streams);
        let call = ReadCall::FromSnapshot(name, streams);
        self.call(Call::Read(call), work).await
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let work = self.store.save_snapshot(snapshot);
        self.call(Call::SaveSnapshot(snapshot), work).await
    }

    async fn sleep(&self, duration: Duration) {
        self.interceptor.sleep(&self.store, duration).await;
    }
}

impl<S: EventSubscription, I: Intercept<S>> EventSubscription for Intercepted<S, I> {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        self.interceptor.subscribe(&self.store, subscribe)
    }
}

impl<S: SubscriptionStore, I: Intercept<S>> SubscriptionStore for Intercepted<S, I> {
    async fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<bool, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Create);
        let work = self.store.create_subscription(subscription, definition);
        self.call(call, work).await
    }

    async fn drop_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Drop);
        let work = self.store.drop_subscription(subscription);
        self.call(call, work).await
    }

    async fn pause_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Pause);
        let work = self.store.pause_subscription(subscription);
        self.call(call, work).await
    }

    async fn resume_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Resume);
        let work = self.store.resume_subscription(subscription);
        self.call(call, work).await
    }

    async fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> Result<(), StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Reset);
        let work = self.store.reset_subscription(subscription, after);
        self.call(call, work).await
    }

    async fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> Result<Option<LeasedBatch>, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Poll);
        let store = &self.store;
        let work = store.poll_subscription(subscription, consumer, max_events, wait);
        self.call(call, work).await
    }

    async fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Ack);
        let work = self.store.ack(subscription, lease_id, positions);
        self.call(call, work).await
    }

    async fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Nack);
        let work = self.store.nack(subscription, lease_id, positions, nack);
        self.call(call, work).await
    }

    async fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::ExtendLease);
        let work = self.store.extend_lease(subscription, lease_id);
        self.call(call, work).await
    }

    async fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Parked);
        let work = self.store.parked(subscription, after, max_events);
        self.call(call, work).await
    }

    async fn park(
        &self,
        subscription: &SubscriptionName,
        positions: &[Position],
        reason: Option<&str>,
    ) -> Result<u64, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::Park);
        let work = self.store.park(subscription, positions, reason);
        self.call(call, work).await
    }

    async fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::ReplayParked);
        let work = self.store.replay_parked(subscription, positions);
        self.call(call, work).await
    }

    async fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        let call = Call::Subscription(subscription, SubscriptionCall::DiscardParked);
        let work = self.store.discard_parked(subscription, positions);
        self.call(call, work).await
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.interceptor.in_background(&self.store, work);
    }
}

impl<S: ProjectionStore, I: Intercept<S>> ProjectionStore for Intercepted<S, I> {
    type Transaction = S::Transaction;

    async fn checkpoint(&self, projection: &ProjectionName) -> Result<Position, StoreError> {
        let call = Call::Projection(ProjectionCall::Checkpoint(projection));
        self.call(call, self.store.checkpoint(projection)).await
    }

    async fn begin(&self) -> Result<S::Transaction, StoreError> {
        let call = Call::Projection(ProjectionCall::Begin);
        self.call(call, self.store.begin()).await
    }

    async fn advance_checkpoint(
        &self,
        transaction: &mut S::Transaction,
        projection: &ProjectionName,
        from: Position,
        to: Position,
    ) -> Result<(), StoreError> {
        let call = Call::Projection(ProjectionCall::Advance(projection, from, to));
        let store = &self.store;
        let work = store.advance_checkpoint(transaction, projection, from, to);
        self.call(call, work).await
    }

    async fn commit(&self, transaction: S::Transaction) -> Result<(), StoreError> {
        let call = Call::Projection(ProjectionCall::Commit);
        self.call(call, self.store.commit(transaction)).await
    }

    async fn roll_back(&self, transaction: S::Transaction) {
        self.store.roll_back(transaction).await;
    }

    fn is_passing(&self, error: &(dyn Error + 'static)) -> bool {
        self.store.is_passing(error)
    }
}

impl<S: EventStore, I: Intercept<S>> Intercepted<S, I> {
    async fn call<T: Send>(
        &self,
        call: Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        self.interceptor.call(&self.store, call, work).await
    }
}
