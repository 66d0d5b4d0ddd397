//! All events of one operation.

use uuid::Uuid;

use crate::error::Error;
use crate::event::EventHead;
use crate::events::has_index;
use crate::row::all;
use crate::search::{Found, Query, Searchable, Searched, Windows, within};
use crate::session::Session;

/// The statement that makes traces quick.
pub const INDEX: &str = "CREATE INDEX CONCURRENTLY ON eventcore.events (correlation_id) WHERE correlation_id IS NOT NULL";

/// The events with a correlation id, in order of position. With an index on `correlation_id`, all of
/// them at once. Without one, it looks around a position, such as that of a known event, or from the
/// newest event backward, and says what it looked at.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn by_correlation(
    session: &Session,
    correlation: Uuid,
    near: Option<i64>,
    limit: usize,
    most_windows: usize,
) -> Result<Found, Error> {
    let (events, searched) = trace(session, correlation, near, limit, most_windows).await?;
    Ok(Found { events, searched })
}

/// The same without what the events carry.
///
/// # Errors
///
/// Like [`by_correlation`].
pub async fn heads(
    session: &Session,
    correlation: Uuid,
    near: Option<i64>,
    limit: usize,
    most_windows: usize,
) -> Result<(Vec<EventHead>, Searched), Error> {
    trace(session, correlation, near, limit, most_windows).await
}

async fn trace<T: Searchable>(
    session: &Session,
    correlation: Uuid,
    near: Option<i64>,
    limit: usize,
    most_windows: usize,
) -> Result<(Vec<T>, Searched), Error> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    if has_index(session, "correlation_id").await? {
        let events: Vec<T> = all(session, T::BY_CORRELATION, &[&correlation, &most]).await?;
        let mut searched = Searched::by_index();
        searched.is_complete = events.len() < limit;
        return Ok((events, searched));
    }
    let query = Query {
        correlation: Some(correlation),
        ..Query::default()
    };
    let mut windows = match near {
        Some(position) => Windows::around(position.saturating_sub(1)),
        None => Windows::newest_first(0, i64::MAX - 1),
    };
    let mut events: Vec<T> = Vec::new();
    for _ in 0..most_windows {
        if events.len() >= limit {
            break;
        }
        let Some(window) = windows.next(session).await? else {
            break;
        };
        events.extend(within(session, window, &query, false, most).await?);
    }
    let mut searched = windows.searched();
    searched.is_complete &= events.len() < limit;
    events.sort_by_key(T::place);
    events.truncate(limit);
    Ok((events, searched))
}
