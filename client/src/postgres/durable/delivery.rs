//! Deliveries of the store on PostgreSQL can also be acknowledged in the caller's transaction.

use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use super::sql::{ACK, bigints};
use crate::consumer::Delivery;
use crate::postgres::PostgresEventStore;
use crate::postgres::error::store_error;
use crate::store::StoreError;

impl<E> Delivery<E, PostgresEventStore> {
    /// Acknowledges the event in a transaction of yours, together with the effects of the event, so
    /// that these take place exactly once. After the commit, call [`committed`](Self::committed).
    /// Otherwise, or if the commit fails, drop the delivery: the event is given back, unless it is
    /// done.
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
    /// The lease no longer holds the event ([`StoreError::is_lease_lost`]): roll back. Or the
    /// server refuses the request or cannot be reached.
    pub async fn ack_in(&self, transaction: &impl GenericClient) -> Result<(), StoreError> {
        transaction
            .query_typed(
                ACK,
                &[
                    (&self.subscription().as_str(), Type::TEXT),
                    (&self.lease_id().as_uuid(), Type::UUID),
                    (&bigints(&[self.position]), Type::INT8_ARRAY),
                ],
            )
            .await
            .map(|_| ())
            .map_err(store_error)
    }
}
