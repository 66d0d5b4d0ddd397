//! [`SubscriptionStore`]: a store that keeps durable subscriptions.

use std::time::Duration;

use super::{LeasedBatch, Nack, NackOutcome, ParkedEvent, SubscriptionDefinition};
use crate::store::{EventStore, StoreError};
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

/// A store that keeps durable subscriptions. To work through one, use a [`Consumer`](crate::Consumer):
/// it polls, keeps the lease and acknowledges.
///
/// Every stream is with one lease at a time, so that the events of a stream are worked on in their
/// order, however many consumers there are. An event is delivered until it is acknowledged, skipped or
/// parked: at least once, and more often when a consumer is lost.
///
/// Where positions are an `Option`, `None` stands for all: those that the lease still holds, or all
/// that are parked. All methods but `create_subscription` fail with SE007
/// ([`StoreError::is_unknown_name`]) when there is no such subscription, and all of them when the store
/// cannot be reached.
pub trait SubscriptionStore: EventStore {
    /// Creates a subscription: `true`. One that is there already with the same definition, wherever it
    /// started, is left alone: `false`.
    ///
    /// # Errors
    ///
    /// The definition is malformed, or the subscription is there with another one (SE003).
    fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a subscription with its leases and its parked events.
    ///
    /// # Errors
    ///
    /// As every method.
    fn drop_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Delivers nothing from now on. What consumers have they may still acknowledge.
    ///
    /// # Errors
    ///
    /// As every method.
    fn pause_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends a pause.
    ///
    /// # Errors
    ///
    /// As every method.
    fn resume_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Goes on after this position, back or ahead. All leases are lost. Events parked up to the position
    /// stay parked.
    ///
    /// # Errors
    ///
    /// The position is later than the safe position (SE003).
    fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives the consumer the next events, at most so many, as soon as there are any; `None` when there
    /// are none until the wait is over. A future that is dropped takes nothing.
    ///
    /// # Errors
    ///
    /// As every method.
    fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> impl Future<Output = Result<Option<LeasedBatch>, StoreError>> + Send;

    /// The events are done. This counts also after the lease has run out, as long as nobody else has
    /// been given them.
    ///
    /// # Errors
    ///
    /// The lease does not hold one of them, or not any more (SE008): then none is acknowledged. A
    /// position was never handed out (SE003).
    fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The events are given back, and what became of each is returned. When one is to be delivered again
    /// (or is parked and its stream stops), the later events of its stream in the same lease are given
    /// back too; they are in the result, and the consumer must not work on them any more.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack).
    fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> impl Future<Output = Result<Vec<(Position, NackOutcome)>, StoreError>> + Send;

    /// Lets the lease run from now for as long as the subscription says, and returns how long that is.
    ///
    /// # Errors
    ///
    /// The lease holds nothing any more (SE008).
    fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> impl Future<Output = Result<Duration, StoreError>> + Send;

    /// The parked events after a position, at most so many, in position order.
    ///
    /// # Errors
    ///
    /// As every method.
    fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> impl Future<Output = Result<Vec<ParkedEvent>, StoreError>> + Send;

    /// Delivers parked events again, from attempt 1 on. Returns how many those are.
    ///
    /// # Errors
    ///
    /// As every method.
    fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Is done with parked events. Returns how many those were.
    ///
    /// # Errors
    ///
    /// As every method.
    fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Does the work in the background, if there is a way; otherwise drops it. This is how a consumer
    /// that is dropped gives back what it has.
    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static);
}
