//! One connection of a pool: the client, its prepared statements, and the server's warnings.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Error, Socket, Statement};

use super::sqlstate;
use super::tls::Encrypted;

/// A connection to the server. Dropping it closes it.
pub(super) struct Connection {
    client: Client,
    task: JoinHandle<()>,
    /// The prepared statements and their texts. They are few: to compare them is faster than to hash
    /// the text.
    prepared: Mutex<Vec<(&'static str, Statement)>>,
    /// Whether a commit was not confirmed by a synchronous standby.
    is_unconfirmed: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn new(
        client: Client,
        connection: tokio_postgres::Connection<Socket, Encrypted>,
    ) -> Self {
        let is_unconfirmed = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn(serve(connection, Arc::clone(&is_unconfirmed)));
        Self {
            client,
            task,
            prepared: Mutex::default(),
            is_unconfirmed,
        }
    }

    /// The prepared statement. It is prepared at the first use.
    pub(super) async fn prepared(&self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.known(sql) {
            return Ok(statement);
        }
        // Boxed, because every call of a store has room for this future.
        Box::pin(self.prepare_again(sql)).await
    }

    /// The same, prepared now, in the place of what was prepared before.
    pub(super) async fn prepare_again(&self, sql: &'static str) -> Result<Statement, Error> {
        let statement = self.client.prepare(sql).await?;
        let mut known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(text, _)| *text != sql);
        known.push((sql, statement.clone()));
        Ok(statement)
    }

    fn known(&self, sql: &'static str) -> Option<Statement> {
        let known = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = known.iter().filter(|(text, _)| *text == sql);
        found.next().map(|(_, statement)| statement.clone())
    }

    /// Whether a commit since the last call of this method was not confirmed by the standbys. The
    /// server sends its warning before the answer, so the flag is set when the answer to the commit
    /// arrives.
    pub(super) fn take_unconfirmed(&self) -> bool {
        self.is_unconfirmed.swap(false, Ordering::AcqRel)
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Runs the connection until it is lost. Statements on it fail then.
async fn serve(
    mut connection: tokio_postgres::Connection<Socket, Encrypted>,
    is_unconfirmed: Arc<AtomicBool>,
) {
    while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
        if let AsyncMessage::Notice(notice) = message
            && sqlstate::is_unconfirmed_commit(&notice)
        {
            is_unconfirmed.store(true, Ordering::Release);
        }
    }
}
