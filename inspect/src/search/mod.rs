//! Searching events by what no index knows: window by window of positions.

mod condition;
mod windows;

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::event::{Event, EventHead, event_columns, head_columns};
use crate::row::{FromRow, all};
use crate::session::Session;

pub use condition::Condition;
use windows::Direction;
pub use windows::{Searched, Window, Windows};

/// What to search for. What is `None` matches every event.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only streams whose name begins with one of these, byte by byte.
    pub prefixes: Option<Vec<String>>,
    /// Only these types.
    pub types: Option<Vec<String>>,
    /// Only this operation.
    pub correlation: Option<Uuid>,
    /// Only events that this event caused directly.
    pub causation: Option<Uuid>,
    /// Only events whose payload fulfils this.
    pub condition: Option<Condition>,
}

macro_rules! search {
    ($columns:expr, $order:literal) => {
        concat!(
            "SELECT ",
            $columns,
            "
  FROM eventcore.events e
 WHERE e.position > $1 AND e.position <= $2
   AND ($3::text[] IS NULL OR EXISTS (SELECT FROM unnest($3::text[]) p WHERE starts_with(e.stream_id, p)))
   AND ($4::text[] IS NULL OR e.event_type = ANY ($4::text[] COLLATE \"C\"))
   AND ($5::uuid IS NULL OR e.correlation_id = $5)
   AND ($10::uuid IS NULL OR e.causation_id = $10)
   AND ($6::text[] IS NULL OR e.payload #> $6::text[] IS NOT NULL)
   AND ($7::text IS NULL OR jsonb_path_match(e.payload #> $6::text[], $7::text::jsonpath, jsonb_build_object('value', $8::jsonb), true))
 ORDER BY e.position ",
            $order,
            " LIMIT $9"
        )
    };
}

/// What a search returns: events, with or without what they carry.
pub(crate) trait Searchable: FromRow {
    const OLDEST_FIRST: &'static str;
    const NEWEST_FIRST: &'static str;
    const BY_CORRELATION: &'static str;
    fn place(&self) -> i64;
}

macro_rules! by_correlation {
    ($columns:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM eventcore.events e WHERE e.correlation_id = $1 ORDER BY e.position LIMIT $2"
        )
    };
}

impl Searchable for Event {
    const OLDEST_FIRST: &'static str = search!(event_columns!(), "");
    const NEWEST_FIRST: &'static str = search!(event_columns!(), "DESC");
    const BY_CORRELATION: &'static str = by_correlation!(event_columns!());

    fn place(&self) -> i64 {
        self.position
    }
}

impl Searchable for EventHead {
    const OLDEST_FIRST: &'static str = search!(head_columns!(), "");
    const NEWEST_FIRST: &'static str = search!(head_columns!(), "DESC");
    const BY_CORRELATION: &'static str = by_correlation!(head_columns!());

    fn place(&self) -> i64 {
        self.position
    }
}

/// The events of one window that match, oldest or newest first.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub(crate) async fn within<T: Searchable>(
    session: &Session,
    window: Window,
    query: &Query,
    newest_first: bool,
    limit: i64,
) -> Result<Vec<T>, Error> {
    let condition = query.condition.as_ref();
    let path = condition.map(|condition| &condition.path);
    let test = condition.and_then(|condition| condition.test);
    let value = condition.and_then(|condition| condition.value.as_ref().map(Json));
    let statement = match newest_first {
        true => T::NEWEST_FIRST,
        false => T::OLDEST_FIRST,
    };
    all(
        session,
        statement,
        &[
            &window.after,
            &window.up_to,
            &query.prefixes,
            &query.types,
            &query.correlation,
            &path,
            &test,
            &value,
            &limit,
            &query.causation,
        ],
    )
    .await
}

/// What a search has found.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Found {
    /// The events.
    pub events: Vec<Event>,
    /// Where they were looked for. If it was not complete, go on from there.
    pub searched: Searched,
}

/// Searches at most `windows` windows for at most `limit` events, newest or oldest first.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn search(
    session: &Session,
    query: &Query,
    windows: Windows,
    limit: usize,
    most_windows: usize,
) -> Result<Found, Error> {
    let (events, searched) = find(session, query, windows, limit, most_windows).await?;
    Ok(Found { events, searched })
}

/// The same without what the events carry.
///
/// # Errors
///
/// Like [`search`].
pub async fn search_heads(
    session: &Session,
    query: &Query,
    windows: Windows,
    limit: usize,
    most_windows: usize,
) -> Result<(Vec<EventHead>, Searched), Error> {
    find(session, query, windows, limit, most_windows).await
}

async fn find<T: Searchable>(
    session: &Session,
    query: &Query,
    mut windows: Windows,
    limit: usize,
    most_windows: usize,
) -> Result<(Vec<T>, Searched), Error> {
    let newest_first = windows.direction() == Direction::Down;
    let mut events: Vec<T> = Vec::new();
    for _ in 0..most_windows {
        if events.len() >= limit {
            break;
        }
        let Some(window) = windows.next(session).await? else {
            break;
        };
        let left = i64::try_from(limit - events.len()).unwrap_or(i64::MAX);
        events.extend(within(session, window, query, newest_first, left).await?);
    }
    let mut searched = windows.searched();
    if let Some(last) = events.last()
        && events.len() >= limit
    {
        // The last window was not searched to its end.
        searched.is_complete = false;
        match newest_first {
            true => searched.after = last.place() - 1,
            false => searched.up_to = last.place(),
        }
    }
    Ok((events, searched))
}
