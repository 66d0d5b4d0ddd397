//! [`Delivery`]: an event that a consumer was given.

use std::fmt;
use std::ops::Deref;

use super::receipt::{Receipt, Settled};
use crate::durable::{Nack, NackOutcome, SubscriptionStore};
use crate::store::{StoreError, StoredEvent};
use crate::values::LeaseId;

/// An event that a consumer was given, to be answered: acknowledged with [`ack`](Self::ack) or
/// [`handled`](Self::handled), or given back with [`nack`](Self::nack). Dropped without an answer it is
/// given back as a failure.
#[must_use = "an event that is not acknowledged is delivered again"]
pub struct Delivery<E, S: SubscriptionStore + 'static> {
    event: StoredEvent<E>,
    receipt: Receipt<S>,
}

impl<E, S: SubscriptionStore> Delivery<E, S> {
    pub(super) fn new(event: StoredEvent<E>, receipt: Receipt<S>) -> Self {
        Self { event, receipt }
    }

    /// 1 for the first time that the event is delivered, and one more for each time that it has failed.
    pub fn attempt(&self) -> u32 {
        self.receipt.attempt
    }

    /// The lease that holds the event.
    pub fn lease_id(&self) -> LeaseId {
        self.receipt.lease_id
    }

    /// Whether the consumer knows that it has lost the event: an earlier one of its stream was given
    /// back, or the lease had run out. There is no point in working on it; any answer is ignored.
    pub fn is_void(&self) -> bool {
        self.receipt.is_void()
    }

    /// The event is done. It is when this returns [`Settled::Done`]; if this future is dropped, the
    /// acknowledgement is sent again later.
    ///
    /// # Errors
    ///
    /// The store refuses. While it cannot be reached, this goes on trying as the options of the consumer
    /// say.
    pub async fn ack(self) -> Result<Settled, StoreError> {
        self.receipt.ack().await
    }

    /// The event is done, and is acknowledged with others: when the batch is used up or its lease half
    /// over, at the latest when the consumer is closed. One round trip instead of many; when the process
    /// dies before, they are all delivered again.
    pub fn handled(self) {
        self.receipt.handled();
    }

    /// Gives the event back, and tells what becomes of it: `None` when the delivery was void. If this
    /// future is dropped, it is given back later.
    ///
    /// # Errors
    ///
    /// As [`ack`](Self::ack); or there is a delay, and it is not to be tried again (SE003).
    pub async fn nack(self, nack: Nack) -> Result<Option<NackOutcome>, StoreError> {
        self.receipt.nack(nack).await
    }

    /// A transaction that acknowledges the event has been committed: there is nothing left to answer.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    pub fn committed(self) {
        self.receipt.settled();
    }

    /// The event alone, and what is owed for it.
    pub(crate) fn into_parts(self) -> (StoredEvent<E>, Receipt<S>) {
        (self.event, self.receipt)
    }
}

#[cfg(feature = "postgres")]
impl<E> Delivery<E, crate::PostgresEventStore> {
    /// Acknowledges the event in a transaction of yours: together with what you have made of it, so that
    /// it takes effect exactly once. After the commit say [`committed`](Self::committed). Without that,
    /// or if the commit fails, drop the delivery: the event is given back, unless it is done.
    ///
    /// ```no_run
    /// # use eventcore::{Delivery, Event, PostgresEventStore, ProjectionStore};
    /// # async fn handle<E: Event>(
    /// #     store: &PostgresEventStore,
    /// #     delivery: Delivery<E, PostgresEventStore>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// // A transaction of the store's, or any of a client of `tokio-postgres`.
    /// let transaction = store.begin().await?;
    /// transaction.execute("UPDATE seen SET n = n + 1", &[]).await?;
    /// delivery.ack_in(&*transaction).await?;
    /// store.commit(transaction).await?;
    /// delivery.committed();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The lease does not hold the event any more ([`StoreError::is_lease_lost`]): roll back. Or the
    /// server refuses, or cannot be reached.
    pub async fn ack_in(
        &self,
        transaction: &impl tokio_postgres::GenericClient,
    ) -> Result<(), StoreError> {
        let Receipt {
            session,
            lease_id,
            position,
            ..
        } = &self.receipt;
        crate::postgres::ack_in(transaction, &session.subscription, *lease_id, *position).await
    }
}

/// The event with all that the store knows about it.
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
