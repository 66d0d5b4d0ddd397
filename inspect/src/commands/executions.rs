//! Executions with an idempotency key.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::append::StreamVersion;
use crate::error::Error;
use crate::row::{FromRow, all};
use crate::session::Session;
use crate::time::Time;

/// A row of `eventcore.executions`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Execution {
    /// The key that its caller gave.
    pub idempotency_key: String,
    /// When it was executed.
    pub recorded_at: Time,
    /// The position of its first event; `None` if it wrote none.
    pub first_position: Option<i64>,
    /// The position of its last event.
    pub last_position: Option<i64>,
    /// Each stream that it read, and its version afterwards.
    pub streams: Vec<StreamVersion>,
}

macro_rules! executions {
    ($rest:literal) => {
        concat!(
            "SELECT x.idempotency_key, x.recorded_at, x.first_position, x.last_position, x.streams, x.versions \
             FROM eventcore.executions x WHERE x.command = $1 AND ",
            $rest
        )
    };
}

const LIST: &str = executions!("x.idempotency_key > $2 ORDER BY x.idempotency_key LIMIT $3");
const SHOW: &str = executions!("x.idempotency_key = $2");

impl FromRow for Execution {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            idempotency_key: row.try_get("idempotency_key")?,
            recorded_at: row.try_get("recorded_at")?,
            first_position: row.try_get("first_position")?,
            last_position: row.try_get("last_position")?,
            streams: StreamVersion::of(row.try_get("streams")?, row.try_get("versions")?),
        })
    }
}

/// The executions of a command after a key, in the order of the bytes of their keys. The first page
/// is after the empty key.
///
/// # Errors
///
/// The role may not read them (42501): `CREATE EXTENSION` grants them to nobody. The connection is
/// lost.
pub async fn executions(
    session: &Session,
    command: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Execution>, Error> {
    all(session, LIST, &[&command, &after, &limit]).await
}

/// The execution of a command with this key, if there is one.
///
/// # Errors
///
/// Like [`executions`].
pub async fn execution(
    session: &Session,
    command: &str,
    key: &str,
) -> Result<Option<Execution>, Error> {
    let row = session.query_opt(SHOW, &[&command, &key]).await?;
    row.as_ref().map(Execution::from_row).transpose()
}
