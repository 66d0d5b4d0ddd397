//! Projections that run inside the server.

mod wait;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;

use crate::error::Error;
use crate::event::{Event, event_columns};
use crate::row::{FromRow, all, from_row, named};
use crate::session::Session;
use crate::time::Time;

pub use wait::{RebuildProgress, RebuildWatch, last_position, wait};

from_row! {
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
        pub rebuilt_at: Option<Time>,
    }
}

/// `retry_at` is `-infinity` while nothing has to be tried again. Of two columns with one name the first
/// is read.
macro_rules! projections {
    ($rest:literal) => {
        concat!(
            "SELECT nullif(p.retry_at, '-infinity') AS retry_at, p.* FROM eventcore.stat_projections p ",
            $rest
        )
    };
}

const LIST: &str = projections!("ORDER BY p.name");
const LIST_AFTER: &str = projections!("WHERE p.name > $1 ORDER BY p.name LIMIT $2");
const SHOW: &str = projections!("WHERE p.name = $1");

/// All projections, by name.
///
/// # Errors
///
/// The role may not read the view, or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Projection>, Error> {
    all(session, LIST, &[]).await
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
    all(session, LIST_AFTER, &[&after, &limit]).await
}

/// One projection.
///
/// # Errors
///
/// There is none of this name, the role may not read the view, or the connection is lost.
pub async fn show(session: &Session, name: &str) -> Result<Projection, Error> {
    named(session, SHOW, "projection", name).await
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

impl FromRow for ParkedEvent {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            attempts: row.try_get("attempts")?,
            sqlstate: row.try_get("sqlstate")?,
            reason: row.try_get("reason")?,
            parked_at: row.try_get("parked_at")?,
            replay: row.try_get("replay")?,
            event: Event::from_row(row)?,
        })
    }
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
    all(session, PARKED, &[&name, &after, &limit]).await
}
