//! [`PostgresSession`]: a connection for statements that the store has no method for.

use std::fmt;
use std::ops::Deref;

use tokio_postgres::{Client, Error, Statement};

use super::connection::Connection;
use super::error::{no_connection, store_error};
use super::server::Server;
use crate::store::StoreError;

/// A connection of its own, outside the pool, made by [`Builder::session`](super::Builder::session):
/// with the servers, TLS and timeouts of a store. It is a [`Client`], for statements that the store
/// has no method for.
///
/// Dropping it closes the connection. A statement that is running goes on in the server until it
/// ends, unless it is [cancelled](Self::cancel).
pub struct PostgresSession {
    connection: Connection,
    server: Server,
}

impl PostgresSession {
    pub(super) async fn open(server: Server) -> Result<Self, StoreError> {
        let (client, connection) = server.connect_in_time().await.map_err(no_connection)?;
        Ok(Self {
            connection: Connection::new(client, connection),
            server,
        })
    }

    /// The prepared form of a statement. It is prepared at the first use on this session.
    ///
    /// # Errors
    ///
    /// The server refuses the statement, or the connection is lost.
    pub async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        self.connection.prepared(sql).await
    }

    /// The same, prepared now. The server refuses to run what was prepared before its result changed
    /// (SQLSTATE 0A000), as after `ALTER EXTENSION eventcore UPDATE`.
    ///
    /// # Errors
    ///
    /// The server refuses the statement, or the connection is lost.
    pub async fn prepare_again(&self, sql: &'static str) -> Result<Statement, Error> {
        self.connection.prepare_again(sql).await
    }

    /// Asks the server to cancel the statement that is running on this connection, if there is one.
    /// The statement then fails with SQLSTATE 57014.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    pub async fn cancel(&self) -> Result<(), StoreError> {
        let token = self.connection.cancel_token();
        let cancelled = token.cancel_query(self.server.tls()).await;
        cancelled.map_err(store_error)
    }
}

impl Deref for PostgresSession {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.connection
    }
}

impl fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSession").finish_non_exhaustive()
    }
}
