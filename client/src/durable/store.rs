//! [`SubscriptionStore`]: a store that keeps durable subscriptions.

use std::time::Duration;

use super::{LeasedBatch, Nack, NackOutcome, ParkedEvent, SubscriptionDefinition};
use crate::store::{EventStore, StoreError};
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

/// A store that keeps durable subscriptions. To handle the events of one, use a
/// [`Consumer`](crate::Consumer): it polls, extends the lease and acknowledges.
///
/// Only one lease at a time holds events of a stream, so the events of a stream are handled in
/// their order, however many consumers there are. An event is delivered until it is acknowledged,
/// skipped or parked: at least once, and again when a consumer is lost.
///
/// Where positions are an `Option`, `None` means all: all events that the lease still holds, or all
/// parked events. All methods except `create_subscription` fail with SE007
/// ([`StoreError::is_unknown_name`]) if the subscription does not exist. All methods fail if the
/// store cannot be reached.
pub trait SubscriptionStore: EventStore {
    /// Creates a subscription and returns true. If it exists with the same definition, wherever it
    /// started, this changes nothing and returns false.
    ///
    /// # Errors
    ///
    /// The definition is malformed, or the subscription exists with a different definition (SE003).
    fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Removes a subscription with its leases and its parked events.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn drop_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Stops deliveries. Consumers may still acknowledge the events that they have.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn pause_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends a pause.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn resume_subscription(
        &self,
        subscription: &SubscriptionName,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Continues after this position, which may be lower or higher than before. All leases are
    /// lost. Events parked up to the position stay parked.
    ///
    /// # Errors
    ///
    /// The position is above the safe position (SE003).
    fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Leases the next events to the consumer, at most `max_events`, as soon as there are any;
    /// `None` if there are none within `wait`. A future that is dropped leases nothing.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> impl Future<Output = Result<Option<LeasedBatch>, StoreError>> + Send;

    /// Acknowledges events. This works even after the lease has expired, as long as the events are
    /// not leased to another consumer.
    ///
    /// # Errors
    ///
    /// The lease does not hold one of them, or no longer holds it (SE008); then none is
    /// acknowledged. Or a position was never delivered (SE003).
    fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives events back and returns what the store did with each. If an event is to be delivered
    /// again, or is parked and its stream stops, the later events of its stream in the same lease
    /// are given back too. They are part of the result, and the consumer must not handle them.
    ///
    /// # Errors
    ///
    /// Like [`ack`](Self::ack).
    fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> impl Future<Output = Result<Vec<(Position, NackOutcome)>, StoreError>> + Send;

    /// Extends the lease to the full time from now, and returns that time.
    ///
    /// # Errors
    ///
    /// The lease no longer holds any events (SE008).
    fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> impl Future<Output = Result<Duration, StoreError>> + Send;

    /// The parked events after a position in position order, at most `max_events`.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> impl Future<Output = Result<Vec<ParkedEvent>, StoreError>> + Send;

    /// Parks events that wait to be delivered again, and returns how many; events that are parked
    /// already stay so. For a person who sets an event aside while the consumer that fails on it is
    /// dead, or while the subscription is paused. What expired leases hold is taken back first.
    /// Without a reason, the store says that it was set aside.
    ///
    /// # Errors
    ///
    /// One of them was never delivered, is done, or is leased (SE003); then none is parked. The
    /// objects of the database are older than 0.2.0.
    fn park(
        &self,
        subscription: &SubscriptionName,
        positions: &[Position],
        reason: Option<&str>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Delivers parked events again, starting with attempt 1. Returns how many.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Discards parked events. Returns how many.
    ///
    /// # Errors
    ///
    /// See the trait's documentation.
    fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Runs the work in the background if possible; otherwise drops it. A dropped consumer uses it
    /// to give back its events.
    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static);
}
