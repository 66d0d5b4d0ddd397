//! [`Transaction`]: statements of a session that end together.

use std::pin::pin;
use std::task::{Context, Waker};

use tokio_postgres::Client;

use crate::error::Error;
use crate::session::Session;

/// A transaction that is rolled back unless it is committed, also if it is dropped because its caller
/// has gone.
/// Nothing else may use the session meanwhile, as it would be part of the transaction.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    client: &'a Client,
    is_open: bool,
}

impl<'a> Transaction<'a> {
    /// One that may write.
    pub(crate) async fn read_write(session: &'a Session) -> Result<Self, Error> {
        Self::begin(session, "BEGIN READ WRITE").await
    }

    /// One that may not write, whose statements all see the same events.
    pub(crate) async fn read_only(session: &'a Session) -> Result<Self, Error> {
        Self::begin(session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
    }

    async fn begin(session: &'a Session, statement: &'static str) -> Result<Self, Error> {
        // Before the statement is sent: it may run although nobody waits for the answer any more.
        let transaction = Self {
            client: session.client(),
            is_open: true,
        };
        transaction.client.batch_execute(statement).await?;
        Ok(transaction)
    }

    /// Ends it, and keeps what it has done.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.client.batch_execute("COMMIT").await?;
        self.is_open = false;
        Ok(())
    }

    /// Ends it. The session may be used again, also if a statement has failed.
    pub(crate) async fn roll_back(mut self) -> Result<(), Error> {
        self.client.batch_execute(ROLLBACK).await?;
        self.is_open = false;
        Ok(())
    }
}

const ROLLBACK: &str = "ROLLBACK";

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // The first poll sends the statement, before all that the session is asked later. The
            // answer matters to nobody: without a connection the transaction has ended anyway.
            let rolled_back = pin!(self.client.batch_execute(ROLLBACK));
            let _ = rolled_back.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}
