//! A connection that receives the server's warnings, and errors in a form to act on.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Error, NoTls, Row};

/// Longer than the connection to any one of several hosts may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(8);
/// Longer than any statement waits.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

pub(super) struct Session {
    pub(super) client: Client,
    unconfirmed: Arc<AtomicBool>,
}

/// Why a statement returned no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server's error.
    Server(Error),
    /// No connection, a lost one, or no answer in time.
    Unanswered,
}

impl Session {
    pub(super) async fn connect(config: &Config) -> Result<Self, Failure> {
        let Ok(connected) = timeout(CONNECT_LIMIT, config.connect(NoTls)).await else {
            return Err(Failure::Unanswered);
        };
        let (client, mut connection) = connected.map_err(Failure::of)?;
        let unconfirmed = Arc::new(AtomicBool::new(false));
        tokio::spawn({
            let unconfirmed = Arc::clone(&unconfirmed);
            async move {
                while let Some(Ok(message)) =
                    poll_fn(|context| connection.poll_message(context)).await
                {
                    // "canceling wait for synchronous replication due to user request"
                    if let AsyncMessage::Notice(notice) = message
                        && *notice.code() == SqlState::WARNING
                    {
                        unconfirmed.store(true, Relaxed);
                    }
                }
            }
        });
        Ok(Self {
            client,
            unconfirmed,
        })
    }

    /// Whether the last statement committed without the standbys' confirmation: the server sends a
    /// warning before it reports success.
    pub(super) fn take_unconfirmed(&self) -> bool {
        self.unconfirmed.swap(false, Relaxed)
    }

    pub(super) fn cancel_token(&self) -> CancelToken {
        self.client.cancel_token()
    }
}

impl Failure {
    pub(super) fn of(error: Error) -> Self {
        if error.code().is_some() {
            Self::Server(error)
        } else {
            Self::Unanswered
        }
    }

    pub(super) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Server(error) => error.code().map(SqlState::code),
            Self::Unanswered => None,
        }
    }

    pub(super) fn detail(&self) -> Option<&str> {
        match self {
            Self::Server(error) => error.as_db_error()?.detail(),
            Self::Unanswered => None,
        }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Server(error) => match error.as_db_error() {
                Some(error) => format!("{} {}", error.code().code(), error.message()),
                None => error.to_string(),
            },
            Self::Unanswered => "no answer".to_owned(),
        }
    }
}

/// The rows of a statement that answers within a few seconds.
pub(super) async fn query(
    session: &Session,
    statement: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Failure> {
    match timeout(
        ANSWER_LIMIT,
        session.client.query_typed(statement, parameters),
    )
    .await
    {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => Err(Failure::of(error)),
        Err(_) => Err(Failure::Unanswered),
    }
}
