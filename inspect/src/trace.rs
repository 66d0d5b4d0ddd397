//! All events of one operation.

use uuid::Uuid;

use crate::error::Error;
use crate::event::{Event, event_columns};
use crate::events::has_index;
use crate::row::all;
use crate::search::{Found, Query, Searched, Windows, within};
use crate::session::Session;

/// The statement that makes traces quick.
pub const INDEX: &str = "CREATE INDEX CONCURRENTLY ON eventcore.events (correlation_id) WHERE correlation_id IS NOT NULL";

const BY_CORRELATION: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.correlation_id = $1 ORDER BY e.position LIMIT $2"
);

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
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    if has_index(session, "correlation_id").await? {
        let events: Vec<Event> = all(session, BY_CORRELATION, &[&correlation, &most]).await?;
        let mut searched = Searched::by_index();
        searched.is_complete = events.len() < limit;
        return Ok(Found { events, searched });
    }
    let query = Query {
        correlation: Some(correlation),
        ..Query::default()
    };
    let mut windows = match near {
        Some(position) => Windows::around(position.saturating_sub(1)),
        None => Windows::newest_first(0, i64::MAX - 1),
    };
    let mut events = Vec::new();
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
    events.sort_by_key(|event: &Event| event.position);
    events.truncate(limit);
    Ok(Found { events, searched })
}
