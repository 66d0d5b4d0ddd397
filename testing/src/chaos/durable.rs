//! Durable subscriptions of a [`ChaosStore`]: each call may fail before or after it takes effect.

use std::time::Duration;

use eventcore::{
    ConsumerName, LeaseId, LeasedBatch, Nack, NackOutcome, ParkedEvent, Position, StoreError,
    SubscriptionDefinition, SubscriptionName, SubscriptionStore,
};

use super::plan::Fate;
use super::store::lost;
use super::{ChaosStore, Fault, Operation};

impl<S: SubscriptionStore> ChaosStore<S> {
    /// Runs the call, with the failure that is planned for it.
    async fn meet<T>(
        &self,
        doing: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let call = self.next(Operation::Subscription);
        let Fate { latency, fault } = self.plan.fate(Operation::Subscription, call);
        self.wait(latency).await;
        match fault {
            None | Some(Fault::Conflict) => doing.await,
            Some(Fault::Before) => {
                self.note(Operation::Subscription, call, Fault::Before);
                Err(lost("before the call took effect"))
            }
            Some(Fault::After) => {
                doing.await?;
                self.note(Operation::Subscription, call, Fault::After);
                Err(lost("after the call took effect"))
            }
        }
    }
}

impl<S: SubscriptionStore> SubscriptionStore for ChaosStore<S> {
    async fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<bool, StoreError> {
        let create = self.store.create_subscription(subscription, definition);
        self.meet(create).await
    }

    async fn drop_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.meet(self.store.drop_subscription(subscription)).await
    }

    async fn pause_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.meet(self.store.pause_subscription(subscription)).await
    }

    async fn resume_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.meet(self.store.resume_subscription(subscription))
            .await
    }

    async fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> Result<(), StoreError> {
        self.meet(self.store.reset_subscription(subscription, after))
            .await
    }

    async fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> Result<Option<LeasedBatch>, StoreError> {
        let poll = self
            .store
            .poll_subscription(subscription, consumer, max_events, wait);
        self.meet(poll).await
    }

    async fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        self.meet(self.store.ack(subscription, lease_id, positions))
            .await
    }

    async fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        self.meet(self.store.nack(subscription, lease_id, positions, nack))
            .await
    }

    async fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        self.meet(self.store.extend_lease(subscription, lease_id))
            .await
    }

    async fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.meet(self.store.parked(subscription, after, max_events))
            .await
    }

    async fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.meet(self.store.replay_parked(subscription, positions))
            .await
    }

    async fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.meet(self.store.discard_parked(subscription, positions))
            .await
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.store.in_background(work);
    }
}
