//! [`Delivery`]: an event that was delivered to a consumer.

use std::fmt;
use std::ops::Deref;

use super::receipt::{Receipt, Settled};
use crate::durable::{Nack, NackOutcome, SubscriptionStore};
use crate::store::{StoreError, StoredEvent};
use crate::values::LeaseId;
#[cfg(feature = "postgres")]
use crate::values::SubscriptionName;

/// An event that was delivered to a consumer and needs an answer: acknowledge it with
/// [`ack`](Self::ack) or [`handled`](Self::handled), or give it back with [`nack`](Self::nack). A
/// delivery that is dropped without an answer is given back as failed.
#[must_use = "an event that is not acknowledged is delivered again"]
pub struct Delivery<E, S: SubscriptionStore + 'static> {
    event: StoredEvent<E>,
    receipt: Receipt<S>,
}

impl<E, S: SubscriptionStore> Delivery<E, S> {
    pub(super) fn new(event: StoredEvent<E>, receipt: Receipt<S>) -> Self {
        Self { event, receipt }
    }

    /// The number of this delivery of the event: 1 for the first, and one more after each failure.
    pub fn attempt(&self) -> u32 {
        self.receipt.attempt
    }

    /// The lease that holds the event.
    pub fn lease_id(&self) -> LeaseId {
        self.receipt.lease_id
    }

    /// Whether the consumer knows that it has lost the event, because an earlier event of its
    /// stream was given back or the lease has expired. Stop working on it; any answer is ignored.
    pub fn is_void(&self) -> bool {
        self.receipt.is_void()
    }

    /// Acknowledges the event. It is done when this returns [`Settled::Done`]. If the future is
    /// dropped, the acknowledgement is sent later.
    ///
    /// # Errors
    ///
    /// The store refuses the request. While the store cannot be reached, this tries again as the
    /// options of the consumer say.
    pub async fn ack(self) -> Result<Settled, StoreError> {
        self.receipt.ack().await
    }

    /// Marks the event as handled. It is acknowledged together with others: when the batch is used
    /// up, when half of the lease is over, or when the consumer is closed. This takes one round
    /// trip instead of many. If the program dies before, all of them are delivered again.
    pub fn handled(self) {
        self.receipt.handled();
    }

    /// Gives the event back and returns what the store did with it; `None` if the delivery was
    /// void. If the future is dropped, the event is given back later.
    ///
    /// # Errors
    ///
    /// Like [`ack`](Self::ack); or there is a delay for an event that is not to be tried again
    /// (SE003).
    pub async fn nack(self, nack: Nack) -> Result<Option<NackOutcome>, StoreError> {
        self.receipt.nack(nack).await
    }

    /// Call this after committing a transaction that acknowledged the event: there is nothing left
    /// to answer.
    pub fn committed(self) {
        self.receipt.settled();
    }

    /// The subscription that delivered the event.
    #[cfg(feature = "postgres")]
    pub(crate) fn subscription(&self) -> &SubscriptionName {
        &self.receipt.session.subscription
    }

    /// The event, and the receipt through which to answer.
    pub(crate) fn into_parts(self) -> (StoredEvent<E>, Receipt<S>) {
        (self.event, self.receipt)
    }
}

/// The event, with everything that the store knows about it.
impl<E, S: SubscriptionStore> Deref for Delivery<E, S> {
    type Target = StoredEvent<E>;

    fn deref(&self) -> &StoredEvent<E> {
        &self.event
    }
}

impl<E: fmt::Debug, S: SubscriptionStore> fmt::Debug for Delivery<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("event", &self.event)
            .field("attempt", &self.receipt.attempt)
            .finish_non_exhaustive()
    }
}
