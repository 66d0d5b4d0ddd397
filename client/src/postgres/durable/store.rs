//! [`SubscriptionStore`](crate::SubscriptionStore) for the store on PostgreSQL.

use std::time::Duration;

use tokio::runtime::Handle;

use super::{poll, sql};
use crate::durable::{
    LeasedBatch, Nack, NackAction, NackOutcome, ParkedEvent, SubscriptionDefinition,
    SubscriptionStore,
};
use crate::postgres::PostgresEventStore;
use crate::store::StoreError;
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

impl SubscriptionStore for PostgresEventStore {
    async fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<bool, StoreError> {
        sql::create(&self.inner.pool, subscription, definition).await
    }

    async fn drop_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        sql::drop(&self.inner.pool, subscription).await?;
        self.inner.redelivery.tell();
        Ok(())
    }

    async fn pause_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        sql::pause(&self.inner.pool, subscription).await
    }

    async fn resume_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        sql::resume(&self.inner.pool, subscription).await?;
        self.inner.redelivery.tell();
        Ok(())
    }

    async fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> Result<(), StoreError> {
        sql::reset(&self.inner.pool, subscription, after).await?;
        self.inner.redelivery.tell();
        Ok(())
    }

    async fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> Result<Option<LeasedBatch>, StoreError> {
        poll::poll(&self.inner, subscription, consumer, max_events, wait).await
    }

    async fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        sql::ack(&self.inner.pool, subscription, lease_id, positions).await
    }

    async fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        let pool = &self.inner.pool;
        let outcomes = sql::nack(pool, subscription, lease_id, positions, nack).await?;
        match nack.action {
            NackAction::Retry if !nack.delay.is_zero() => self.inner.redelivery.later(nack.delay),
            _ => self.inner.redelivery.tell(),
        }
        Ok(outcomes)
    }

    async fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        sql::extend_lease(&self.inner.pool, subscription, lease_id).await
    }

    async fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        sql::parked(&self.inner.pool, subscription, after, max_events).await
    }

    async fn park(
        &self,
        subscription: &SubscriptionName,
        positions: &[Position],
        reason: Option<&str>,
    ) -> Result<u64, StoreError> {
        let parked = sql::park(&self.inner.pool, subscription, positions, reason).await?;
        // The later events of its stream may go on.
        self.inner.redelivery.tell();
        Ok(parked)
    }

    async fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        let pool = &self.inner.pool;
        let replayed = sql::replay_parked(pool, subscription, positions).await?;
        self.inner.redelivery.tell();
        Ok(replayed)
    }

    async fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        let pool = &self.inner.pool;
        let discarded = sql::discard_parked(pool, subscription, positions).await?;
        self.inner.redelivery.tell();
        Ok(discarded)
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(work);
        }
    }
}
