//! [`SubscriptionStore`] for the store in memory: each call takes one lock, and polls wait.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::durable::{
    LeasedBatch, Nack, NackOutcome, ParkedEvent, SubscriptionDefinition, SubscriptionStore,
};
use crate::memory::{InMemoryEventStore, timer};
use crate::store::StoreError;
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

impl SubscriptionStore for InMemoryEventStore {
    async fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<bool, StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        subscriptions.create(subscription, definition, &self.shared.log())
    }

    async fn drop_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.shared.subscriptions().remove(subscription)?;
        self.shared.wake();
        Ok(())
    }

    async fn pause_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.shared
            .subscriptions()
            .change(subscription)?
            .pause(true);
        Ok(())
    }

    async fn resume_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.shared
            .subscriptions()
            .change(subscription)?
            .pause(false);
        self.shared.wake();
        Ok(())
    }

    async fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> Result<(), StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        let durable = subscriptions.change(subscription)?;
        durable.reset(after, &self.shared.log())?;
        drop(subscriptions);
        self.shared.wake();
        Ok(())
    }

    async fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> Result<Option<LeasedBatch>, StoreError> {
        let ends = Instant::now().checked_add(wait);
        let mut place = self.shared.waker_slot();
        let mut alarm = timer::until(ends);
        std::future::poll_fn(|cx| {
            place.take(cx);
            loop {
                let polled = self.shared.subscriptions().poll(
                    subscription,
                    consumer,
                    max_events,
                    &self.shared.log(),
                )?;
                let next_due = match polled {
                    Ok(batch) => return Poll::Ready(Ok(Some(batch))),
                    Err(next_due) => next_due,
                };
                if ends.is_some_and(|ends| ends <= Instant::now()) {
                    return Poll::Ready(Ok(None));
                }
                alarm = timer::until(next_due.into_iter().chain(ends).min());
                if Pin::new(&mut alarm).poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    async fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        subscriptions
            .change(subscription)?
            .ack(lease_id, positions)?;
        drop(subscriptions);
        self.shared.wake();
        Ok(())
    }

    async fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        let durable = subscriptions.change(subscription)?;
        let outcomes = durable.nack(lease_id, positions, nack)?;
        drop(subscriptions);
        self.shared.wake();
        Ok(outcomes)
    }

    async fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        subscriptions.change(subscription)?.extend_lease(lease_id)
    }

    async fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        let subscriptions = self.shared.subscriptions();
        let durable = subscriptions.get(subscription)?;
        Ok(durable.parked(after, max_events, &self.shared.log()))
    }

    async fn park(
        &self,
        subscription: &SubscriptionName,
        positions: &[Position],
        reason: Option<&str>,
    ) -> Result<u64, StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        let parked = subscriptions
            .change(subscription)?
            .set_aside(positions, reason)?;
        drop(subscriptions);
        self.shared.wake();
        Ok(parked)
    }

    async fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.unpark(subscription, positions, true)
    }

    async fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.unpark(subscription, positions, false)
    }

    /// Nothing here waits for I/O, so polling once completes the work.
    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _done = Box::pin(work)
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl InMemoryEventStore {
    fn unpark(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
        deliver_them: bool,
    ) -> Result<u64, StoreError> {
        let mut subscriptions = self.shared.subscriptions();
        let durable = subscriptions.change(subscription)?;
        let unparked = durable.unpark(positions, deliver_them)?;
        drop(subscriptions);
        self.shared.wake();
        Ok(unparked)
    }
}
