//! Single events, the events of a stream, and events in order of position.

use std::time::Duration;

use uuid::Uuid;

use crate::error::Error;
use crate::event::{Event, event_columns};
use crate::position_at::position_at;
use crate::row::{FromRow, all};
use crate::search::{Searched, Windows};
use crate::session::Session;
use crate::time::Time;

const AT: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.position = $1"
);

/// The event at a position.
///
/// # Errors
///
/// There is none, the role may not read events, or the connection is lost.
pub async fn at(session: &Session, position: i64) -> Result<Event, Error> {
    match session.query_opt(AT, &[&position]).await? {
        Some(row) => Event::from_row(&row),
        None => Err(Error::not_found(format!(
            "there is no event at position {position}"
        ))),
    }
}

const OF_STREAM: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore_read_stream($1, $2, $3, $4, $5) e"
);

/// Which events of a stream to read.
#[derive(Debug, Clone, Default)]
pub struct StreamPage {
    /// The events after this version; backward, those before it. 0: from the first; backward, from
    /// the last.
    pub after: i64,
    /// The most events to return; `None`: all.
    pub limit: Option<i64>,
    /// Newest first.
    pub backward: bool,
    /// Only these types; `None`: all.
    pub types: Option<Vec<String>>,
}

/// The events of a stream, as `eventcore_read_stream` returns them; none if there is no such stream.
///
/// # Errors
///
/// An argument is malformed (SE003), the role may not read events, or the connection is lost.
pub async fn of_stream(
    session: &Session,
    stream: &str,
    page: &StreamPage,
) -> Result<Vec<Event>, Error> {
    let StreamPage {
        after,
        limit,
        backward,
        types,
    } = page;
    all(
        session,
        OF_STREAM,
        &[&stream, after, limit, backward, types],
    )
    .await
}

const AFTER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore_read_all($1, $2, false, $3, $4, true) e"
);

/// Events after a position.
#[derive(Debug, Clone)]
pub struct Page {
    /// The events, in order of position.
    pub events: Vec<Event>,
    /// Every matching event up to this position has been returned: read on after it.
    pub read_to: i64,
}

/// The matching events after a position, up to the safe position: no event is missed by a reader
/// that goes on after [`Page::read_to`]. One call skips at most 100,000 events that do not match.
///
/// # Errors
///
/// The position is of another history (SE011), the role may not read events, or the connection is
/// lost.
pub async fn after(
    session: &Session,
    position: i64,
    limit: i64,
    prefixes: Option<&[String]>,
    types: Option<&[String]>,
) -> Result<Page, Error> {
    let rows = session
        .query(AFTER, &[&position, &limit, &prefixes, &types])
        .await?;
    let mut page = Page {
        events: Vec::new(),
        read_to: position,
    };
    for row in &rows {
        // The last row is the checkpoint: it has a position and nothing else.
        page.read_to = row.try_get("position")?;
        let stream: Option<&str> = row.try_get("stream_id")?;
        if stream.is_some() {
            page.events.push(Event::from_row(row)?);
        }
    }
    Ok(page)
}

const SAFE_POSITION: &str = "SELECT eventcore_safe_position()";

/// The position up to which nothing changes any more.
///
/// # Errors
///
/// The role may not call it, or the connection is lost.
pub async fn safe_position(session: &Session) -> Result<i64, Error> {
    Ok(session.query_one(SAFE_POSITION, &[]).await?.try_get(0)?)
}

const WAIT: &str = "CALL eventcore_wait($1::bigint, $2::text::interval, NULL)";

/// Waits until the safe position is past a position, or until the time is up; returns the safe
/// position either way. The session must be allowed statements as long as this, and nothing else may
/// use it meanwhile.
///
/// # Errors
///
/// The position is of another history (SE011), the role may not call it, or the connection is lost.
pub async fn wait(session: &Session, after: i64, longest: Duration) -> Result<i64, Error> {
    let longest = format!("{} ms", longest.as_millis());
    let row = session.query_one(WAIT, &[&after, &longest]).await?;
    Ok(row.try_get(0)?)
}

const HAS_INDEX: &str = "\
SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                WHERE i.indrelid = 'eventcore.events'::regclass AND i.indisvalid AND a.attname = $1::text
                  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', $1)))";

/// Whether an index begins with a column of the events, as an administrator may have added.
pub(crate) async fn has_index(session: &Session, column: &str) -> Result<bool, Error> {
    Ok(session.query_one(HAS_INDEX, &[&column]).await?.try_get(0)?)
}

const BY_ID: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.event_id = $1 LIMIT 1"
);
const BY_ID_WITHIN: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM eventcore.events e WHERE e.event_id = $1 AND e.position > $2 AND e.position <= $3 LIMIT 1"
);

/// How far the clock of a client may be from the server's, when the search begins.
const CLOCKS_DIFFER_BY: i64 = 60 * 1_000_000;

/// The event with an id, and what was searched for it. There is no index by id, so the search begins
/// at the time in the id, if it is a UUIDv7, and goes on outwards for at most `windows` windows of
/// 100,000 positions. An index on `event_id` is used if there is one.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn by_id(
    session: &Session,
    id: Uuid,
    windows: usize,
) -> Result<(Option<Event>, Searched), Error> {
    if has_index(session, "event_id").await? {
        let row = session.query_opt(BY_ID, &[&id]).await?;
        let event = row.as_ref().map(Event::from_row).transpose()?;
        return Ok((event, Searched::by_index()));
    }
    let start = match time_in(id) {
        Some(time) => position_at(session, time).await?,
        None => i64::MAX - 1,
    };
    let mut around = Windows::around(start);
    for _ in 0..windows {
        let Some(window) = around.next(session).await? else {
            break;
        };
        let found = session
            .query_opt(BY_ID_WITHIN, &[&id, &window.after, &window.up_to])
            .await?;
        if let Some(row) = found {
            return Ok((Some(Event::from_row(&row)?), around.searched()));
        }
    }
    Ok((None, around.searched()))
}

/// The time in a UUIDv7, less the difference of clocks.
fn time_in(id: Uuid) -> Option<Time> {
    if id.get_version_num() != 7 {
        return None;
    }
    let milliseconds = i64::try_from(id.as_u128() >> 80).ok()?;
    let micros = milliseconds.checked_mul(1000)?;
    Some(Time::from_unix_micros(micros - CLOCKS_DIFFER_BY))
}

const APPENDED_WITH: &str = concat!(
    "SELECT ",
    event_columns!(),
    "
  FROM eventcore.events o, eventcore.events e
 WHERE o.position = $1 AND e.position BETWEEN $1 - $2 AND $1 + $2 AND e.recorded_at = o.recorded_at
   AND e.correlation_id IS NOT DISTINCT FROM o.correlation_id AND e.causation_id IS NOT DISTINCT FROM o.causation_id
 ORDER BY e.position"
);

/// The events of the append that wrote the event at a position, itself among them, in order of
/// position; none if there is no such event. Of a large append only those at most `distance`
/// positions away.
///
/// An append is not stored as such. Its events follow one another, with the same time, correlation
/// id and causation id; so two appends of one transaction without ids look like one.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn appended_with(
    session: &Session,
    position: i64,
    distance: i64,
) -> Result<Vec<Event>, Error> {
    let mut events: Vec<Event> = all(session, APPENDED_WITH, &[&position, &distance]).await?;
    let Some(at) = events.iter().position(|event| event.position == position) else {
        return Ok(events);
    };
    let follows = |pair: &[Event]| pair[0].position + 1 == pair[1].position;
    let after = events[at..]
        .windows(2)
        .take_while(|pair| follows(pair))
        .count();
    events.truncate(at + after + 1);
    let before = events[..=at]
        .windows(2)
        .rev()
        .take_while(|pair| follows(pair))
        .count();
    Ok(events.split_off(at - before))
}
