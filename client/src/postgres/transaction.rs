//! [`PostgresTransaction`]: what a projection writes with.

use std::fmt;
use std::ops::Deref;

use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::store_error;
use super::pool::{Pool, PooledConnection};
use crate::store::StoreError;

/// The first fails where the transaction is aborted already, which COMMIT alone would not tell.
const COMMIT: &str = "SELECT 1; COMMIT";

/// Whatever the database or the role has as its default: a runner that waits for another one has to see then what
/// that one did. What is read-only by default stays so.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Tells as well whether the server, or the database, takes no writes.
const ROLLBACK: &str = "ROLLBACK; SHOW transaction_read_only";

/// A transaction on a connection of the pool: [`execute`](Client::execute), [`query`](Client::query) and
/// what else a [`Client`] can do is done in it.
///
/// It is the store that commits: leave `BEGIN`, `COMMIT` and `ROLLBACK` alone. Savepoints are fine.
pub struct PostgresTransaction {
    /// Gone once it has ended as it should.
    client: Option<PooledConnection>,
}

impl PostgresTransaction {
    pub(super) async fn begin(pool: &Pool) -> Result<Self, StoreError> {
        let client = pool.client().await?;
        // Not of a call before this one that was dropped.
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

    /// If it cannot be undone the connection is closed, which undoes it. So is one that takes no writes: behind a
    /// proxy the next one may lead to a server that does.
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
