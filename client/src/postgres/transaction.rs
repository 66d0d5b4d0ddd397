//! [`PostgresTransaction`]: what a projection writes with.

use std::fmt;
use std::ops::Deref;

use deadpool_postgres::Object;
use tokio_postgres::Client;

use super::error::store_error;
use super::pool::Pool;
use crate::StoreError;

/// The first fails where the transaction is aborted already, which COMMIT alone would not tell.
const COMMIT: &str = "SELECT 1; COMMIT";

/// A transaction on a connection of the pool: [`execute`](Client::execute), [`query`](Client::query) and
/// what else a [`Client`] can do is done in it.
///
/// It is the store that commits: leave `BEGIN`, `COMMIT` and `ROLLBACK` alone. Savepoints are fine.
pub struct PostgresTransaction {
    /// Gone once it has ended as it should.
    client: Option<Object>,
}

impl PostgresTransaction {
    pub(super) async fn begin(pool: &Pool) -> Result<Self, StoreError> {
        let transaction = Self {
            client: Some(pool.client().await?),
        };
        transaction
            .batch_execute("BEGIN")
            .await
            .map_err(store_error)?;
        Ok(transaction)
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.batch_execute(COMMIT).await.map_err(store_error)?;
        self.client = None;
        Ok(())
    }

    pub(super) async fn roll_back(mut self) {
        // If it cannot be undone the connection is closed, which undoes it.
        if self.batch_execute("ROLLBACK").await.is_ok() {
            self.client = None;
        }
    }
}

impl Deref for PostgresTransaction {
    type Target = Client;

    #[allow(
        clippy::expect_used,
        reason = "it is there until the transaction is consumed"
    )]
    fn deref(&self) -> &Client {
        self.client
            .as_ref()
            .expect("a transaction has a connection")
    }
}

impl Drop for PostgresTransaction {
    /// A connection in the middle of a transaction does not go back to the pool: it is closed, and the
    /// server undoes the transaction.
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

impl fmt::Debug for PostgresTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTransaction")
            .finish_non_exhaustive()
    }
}
