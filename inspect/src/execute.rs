//! Executing a command inside the database.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::append::StreamVersion;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, event_columns};
use crate::row::all;
use crate::session::Session;
use crate::time::Time;
use crate::transaction::Transaction;

/// A call of a command.
#[derive(Debug, Clone)]
pub struct Call {
    /// The command.
    pub command: String,
    /// Its input.
    pub input: Box<RawValue>,
    /// The operation that it belongs to.
    pub correlation: Option<Uuid>,
    /// What causes it.
    pub causation: Option<Uuid>,
    /// The same command with the same key is executed once.
    pub key: Option<String>,
    /// An object that is added to the metadata of each event.
    pub metadata: Option<Box<RawValue>>,
}

/// The result of an execution.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Executed {
    /// The position of its first event.
    pub first_position: Option<i64>,
    /// The position of its last event.
    pub last_position: Option<i64>,
    /// Each stream that it read, and its version afterwards.
    pub streams: Vec<StreamVersion>,
    /// When the events were written.
    pub recorded_at: Time,
    /// Whether an earlier execution with this key had already done it.
    pub repeated: bool,
    /// How often it was decided.
    pub attempts: i32,
    /// Whether it was rolled back: nothing was written.
    pub is_dry_run: bool,
    /// The events that it has written, or would have.
    pub events: Vec<Event>,
}

const EXECUTE: &str = "SELECT * FROM eventcore_execute($1, $2, $3, $4, $5, $6)";

/// The events of one append: what lies between its positions and in its streams.
const WRITTEN: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.position BETWEEN $1 AND $2 AND e.stream_id = ANY ($3::text[] COLLATE \"C\") ORDER BY e.position"
);

/// Executes a command, and returns the events that it wrote if the role may read them.
///
/// # Errors
///
/// The command rejects (SE006) or is unknown (SE007), and the other errors of `eventcore_execute`.
pub async fn execute(session: &Session, call: &Call) -> Result<Executed, Error> {
    let mut executed = run(session, call).await?;
    if let Some(events) = written(session, &executed).await? {
        executed.events = events;
    }
    Ok(executed)
}

/// Executes a command in a transaction that is rolled back, and returns the events that it would
/// have written. The positions that it took stay unused, and readers wait for the moment that it
/// takes. A command whose functions write other tables has these changes rolled back too, but not
/// what they did outside the database.
///
/// Nothing else may use the session meanwhile: it would be part of the transaction.
///
/// # Errors
///
/// Like [`execute`].
pub async fn dry_run(session: &Session, call: &Call) -> Result<Executed, Error> {
    let transaction = Transaction::read_write(session).await?;
    // A failure in it ends the transaction, which ends anyway.
    let executed = execute(session, call).await;
    // Also after an error: the session may be used again.
    transaction.roll_back().await?;
    let mut executed = executed?;
    executed.is_dry_run = true;
    Ok(executed)
}

async fn run(session: &Session, call: &Call) -> Result<Executed, Error> {
    let row = session
        .query_one(
            EXECUTE,
            &[
                &call.command,
                &Json(&call.input),
                &call.correlation,
                &call.causation,
                &call.key,
                &call.metadata.as_ref().map(Json),
            ],
        )
        .await?;
    Ok(Executed {
        first_position: row.try_get("first_position")?,
        last_position: row.try_get("last_position")?,
        streams: StreamVersion::of(row.try_get("streams")?, row.try_get("versions")?),
        recorded_at: row.try_get("recorded_at")?,
        repeated: row.try_get("repeated")?,
        attempts: row.try_get("attempts")?,
        is_dry_run: false,
        events: Vec::new(),
    })
}

/// `None` if the role may execute and not read.
async fn written(session: &Session, executed: &Executed) -> Result<Option<Vec<Event>>, Error> {
    let (Some(first), Some(last)) = (executed.first_position, executed.last_position) else {
        return Ok(None);
    };
    let streams: Vec<&str> = executed
        .streams
        .iter()
        .map(|stream| stream.stream_id.as_str())
        .collect();
    match all(session, WRITTEN, &[&first, &last, &streams]).await {
        Ok(events) => Ok(Some(events)),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(None),
        Err(error) => Err(error),
    }
}
