//! Projections that run inside the server.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::error::Error;
use crate::event::{Event, event_columns};
use crate::session::Session;
use crate::time::Time;

/// A row of `eventcore.stat_projections`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the view describes its columns")]
pub struct Projection {
    pub name: String,
    pub mode: String,
    pub status: String,
    pub owner: Option<String>,
    pub checkpoint: i64,
    pub safe_position: i64,
    pub lag_events: i64,
    pub lag_seconds: f64,
    pub worker_pid: Option<i32>,
    pub waits_for: Option<String>,
    pub attempts: i32,
    pub retry_at: Option<Time>,
    pub skipped: i64,
    pub parked: i64,
    pub last_error: Option<String>,
    pub last_sqlstate: Option<String>,
    pub last_error_position: Option<i64>,
    pub last_error_at: Option<Time>,
    pub handler: String,
    pub stream_prefixes: Option<Vec<String>>,
    pub event_types: Option<Vec<String>>,
    pub batch_size: i32,
    pub on_error: String,
    pub retry_limit: i32,
    pub created_at: Time,
    pub rebuilds: Option<String>,
    pub shadow_schema: Option<String>,
    pub oldest_parked_at: Option<Time>,
}

/// `retry_at` is `-infinity` while nothing has to be tried again.
macro_rules! projections {
    ($rest:literal) => {
        concat!(
            "SELECT p.*, nullif(p.retry_at, '-infinity') AS retries_at FROM eventcore.stat_projections p ",
            $rest
        )
    };
}

const LIST: &str = projections!("ORDER BY p.name");
const LIST_AFTER: &str = projections!("WHERE p.name > $1 ORDER BY p.name LIMIT $2");
const SHOW: &str = projections!("WHERE p.name = $1");

impl Projection {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            name: row.try_get("name")?,
            mode: row.try_get("mode")?,
            status: row.try_get("status")?,
            owner: row.try_get("owner")?,
            checkpoint: row.try_get("checkpoint")?,
            safe_position: row.try_get("safe_position")?,
            lag_events: row.try_get("lag_events")?,
            lag_seconds: row.try_get("lag_seconds")?,
            worker_pid: row.try_get("worker_pid")?,
            waits_for: row.try_get("waits_for")?,
            attempts: row.try_get("attempts")?,
            retry_at: row.try_get("retries_at")?,
            skipped: row.try_get("skipped")?,
            parked: row.try_get("parked")?,
            last_error: row.try_get("last_error")?,
            last_sqlstate: row.try_get("last_sqlstate")?,
            last_error_position: row.try_get("last_error_position")?,
            last_error_at: row.try_get("last_error_at")?,
            handler: row.try_get("handler")?,
            stream_prefixes: row.try_get("stream_prefixes")?,
            event_types: row.try_get("event_types")?,
            batch_size: row.try_get("batch_size")?,
            on_error: row.try_get("on_error")?,
            retry_limit: row.try_get("retry_limit")?,
            created_at: row.try_get("created_at")?,
            rebuilds: row.try_get("rebuilds")?,
            shadow_schema: row.try_get("shadow_schema")?,
            oldest_parked_at: row.try_get("oldest_parked_at")?,
        })
    }
}

/// All projections, by name.
///
/// # Errors
///
/// The role may not read the view, or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Projection>, Error> {
    let rows = session.query(LIST, &[]).await?;
    rows.iter().map(Projection::read).collect()
}

/// Projections after this name, in the order of the bytes of their names. The first page is after the
/// empty name.
///
/// # Errors
///
/// Like [`list`].
pub async fn list_after(
    session: &Session,
    after: &str,
    limit: i64,
) -> Result<Vec<Projection>, Error> {
    let rows = session.query(LIST_AFTER, &[&after, &limit]).await?;
    rows.iter().map(Projection::read).collect()
}

/// One projection.
///
/// # Errors
///
/// There is none of this name, the role may not read the view, or the connection is lost.
pub async fn show(session: &Session, name: &str) -> Result<Projection, Error> {
    match session.query_opt(SHOW, &[&name]).await? {
        Some(row) => Projection::read(&row),
        None => Err(Error::not_found(format!(
            "there is no projection named {name:?}"
        ))),
    }
}

/// An event that was set aside, and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// How often it failed.
    pub attempts: i32,
    /// The SQLSTATE of the last failure.
    pub sqlstate: String,
    /// Its message.
    pub reason: String,
    /// When it was set aside.
    pub parked_at: Time,
    /// Whether it will be passed to the handler again.
    pub replay: bool,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

const PARKED: &str = concat!(
    "SELECT e.attempts, e.sqlstate, e.reason, e.parked_at, e.replay, ",
    event_columns!(),
    " FROM eventcore_projection_parked($1, $2, $3) e"
);

/// The parked events of a projection after a position, in order of position.
///
/// # Errors
///
/// There is no such projection (SE007), the role may not read it, or the connection is lost.
pub async fn parked(
    session: &Session,
    name: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<ParkedEvent>, Error> {
    let rows = session.query(PARKED, &[&name, &after, &limit]).await?;
    let parked = |row: &Row| {
        Ok(ParkedEvent {
            attempts: row.try_get("attempts")?,
            sqlstate: row.try_get("sqlstate")?,
            reason: row.try_get("reason")?,
            parked_at: row.try_get("parked_at")?,
            replay: row.try_get("replay")?,
            event: Event::read(row)?,
        })
    };
    rows.iter().map(parked).collect()
}
