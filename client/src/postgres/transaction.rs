//! [`PostgresTransaction`]: the transaction that a projection writes to.

use std::fmt;
use std::ops::Deref;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::store_error;
use super::pool::{Pool, PooledConnection};
use crate::store::StoreError;

/// The first statement fails if the transaction is aborted already; COMMIT alone would not.
const COMMIT: &str = "SELECT 1; COMMIT";

/// Overrides the defaults of the database and the role: a runner that waits for another one must
/// then see what the other did. A default of read-only stays in effect.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Also detects a server or a database that accepts no writes.
const ROLLBACK: &str = "ROLLBACK; SHOW transaction_read_only";

/// A transaction on a connection of the pool. [`execute`](Client::execute),
/// [`query`](Client::query) and the other methods of [`Client`] run in it.
///
/// The store commits: do not use `BEGIN`, `COMMIT` and `ROLLBACK`. Savepoints are fine.
pub struct PostgresTransaction {
    /// `None` once the transaction has ended normally.
    client: Option<PooledConnection>,
}

impl PostgresTransaction {
    pub(super) async fn begin(pool: &Pool) -> Result<Self, StoreError> {
        let client = pool.client().await?;
        // Ignore a warning from an earlier call that was dropped.
        client.take_unconfirmed();
        let transaction = Self {
            client: Some(client),
        };
        transaction
            .batch_execute(BEGIN)
            .await
            .map_err(store_error)?;
        Ok(transaction)
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.batch_execute(COMMIT).await.map_err(store_error)?;
        match self.client.take() {
            Some(client) if client.take_unconfirmed() => Err(StoreError::unconfirmed()),
            _ => Ok(()),
        }
    }

    /// Rolls back. If that fails, the connection is closed, which also rolls back. A connection
    /// that accepts no writes is closed too: behind a proxy the next connection may lead to a
    /// server that does.
    pub(super) async fn roll_back(mut self) {
        let undone = self.simple_query(ROLLBACK).await;
        if undone.is_ok_and(|answers| !answers.iter().any(is_on)) {
            self.client = None;
        }
    }
}

fn is_on(answer: &SimpleQueryMessage) -> bool {
    matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("on"))
}

impl Deref for PostgresTransaction {
    type Target = Client;

    #[allow(
        clippy::expect_used,
        reason = "it is set until the transaction is consumed"
    )]
    fn deref(&self) -> &Client {
        self.client
            .as_ref()
            .expect("a transaction has a connection")
    }
}

impl Drop for PostgresTransaction {
    /// A connection within a transaction does not return to the pool. It is closed, and the server
    /// rolls back.
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(PooledConnection::take(client));
        }
    }
}

impl fmt::Debug for PostgresTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTransaction")
            .finish_non_exhaustive()
    }
}
