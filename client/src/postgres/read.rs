//! Reads: streams, the global order, stream versions and the safe position.

use eventcore_rules::MAX_EVENTS_PASSED_OVER;
use uuid::Uuid;

use super::error::store_error;
use super::pool::Pool;
use super::row::{decoded, event_columns, events, from_bigint, to_bigint};
use crate::store::{
    Direction, Filter, ReadAll, ReadStream, ReadStreams, RecordedEvent, StoreError, StreamsRead,
};
use crate::subscription::Page;
use crate::values::{EventId, EventType, Position, StreamId, StreamVersion};

const READ_STREAM: &str = concat!(
    "SELECT ",
    event_columns!(),
    "
  FROM eventcore_read_stream($1::text, $2::bigint, $3::bigint, $4::boolean, $5::text[])"
);

const READ_STREAMS: &str = concat!(
    "SELECT ",
    event_columns!(),
    "
  FROM eventcore_read_streams($1::text[], $2::bigint[], $3::bigint, $4::text[])"
);

const READ_ALL: &str = concat!(
    "SELECT ",
    event_columns!(),
    "
  FROM eventcore_read_all($1::bigint, $2::bigint, $3::boolean, $4::text[], $5::text[])"
);

const READ_PAGE: &str = concat!(
    "SELECT ",
    event_columns!(),
    "
  FROM eventcore_read_all($1::bigint, $2::bigint, false, $3::text[], $4::text[],
                          with_checkpoint => true, after_event => $5::uuid)"
);

const STREAM_VERSIONS: &str = "SELECT version FROM eventcore_stream_versions($1::text[])";

const SAFE_POSITION: &str = "SELECT eventcore_safe_position()";

pub(super) async fn stream(
    pool: &Pool,
    read: &ReadStream,
) -> Result<Vec<RecordedEvent>, StoreError> {
    let rows = pool
        .query(
            READ_STREAM,
            &[
                &read.stream_id.as_str(),
                &to_bigint(read.after.get()),
                &read.limit.map(count),
                &(read.direction == Direction::Backward),
                &types(&read.event_types),
            ],
        )
        .await?;
    events(rows)
}

pub(super) async fn streams(pool: &Pool, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
    if read.streams.is_empty() {
        return Ok(StreamsRead::default());
    }
    let streams: Vec<_> = read
        .streams
        .iter()
        .map(|(stream, _)| stream.as_str())
        .collect();
    let after: Vec<_> = read
        .streams
        .iter()
        .map(|(_, after)| to_bigint(after.get()))
        .collect();
    let rows = pool
        .query(
            READ_STREAMS,
            &[
                &streams,
                &after,
                &read.limit.map(count),
                &types(&read.event_types),
            ],
        )
        .await?;
    let events = events(rows)?;
    let versions = reached(&read.streams, &events);
    Ok(StreamsRead::new(events, versions))
}

/// How far each stream was read: the version of its last event, or the version after which the read
/// started. The events are in the order of the streams.
pub(super) fn reached(
    streams: &[(StreamId, StreamVersion)],
    events: &[RecordedEvent],
) -> Vec<StreamVersion> {
    let mut runs = events
        .chunk_by(|one, next| one.stream_id == next.stream_id)
        .peekable();
    let reached = streams.iter().map(|(stream, after)| {
        let run = runs.next_if(|run| run[0].stream_id == *stream);
        run.and_then(<[_]>::last)
            .map_or(*after, |last| last.version)
    });
    reached.collect()
}

pub(super) async fn all(pool: &Pool, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
    let prefixes = &read.filter.stream_prefixes;
    let rows = pool
        .query(
            READ_ALL,
            &[
                &to_bigint(read.after.get()),
                &count(read.limit),
                &(read.direction == Direction::Backward),
                &(!prefixes.is_empty()).then_some(prefixes),
                &types(&read.filter.event_types),
            ],
        )
        .await?;
    events(rows)
}

/// Reads forward and reports how far, because a filter may skip many events without returning any.
/// `after_event` is the id of the last event that the reader has read before, if known.
pub(super) async fn page(
    pool: &Pool,
    read: &ReadAll,
    after_event: Option<EventId>,
) -> Result<Page, StoreError> {
    let prefixes = &read.filter.stream_prefixes;
    let mut rows = pool
        .query(
            READ_PAGE,
            &[
                &to_bigint(read.after.get()),
                &count(read.limit),
                &(!prefixes.is_empty()).then_some(prefixes),
                &types(&read.filter.event_types),
                &after_event.map(Uuid::from),
            ],
        )
        .await?;
    let checkpoint = rows
        .pop()
        .ok_or_else(|| StoreError::other("the server returned no checkpoint"))?;
    let checkpoint = from_bigint(checkpoint.try_get(0).map_err(store_error)?)?;
    let read_to = Position::new(checkpoint).max(read.after);
    let full = rows.len() >= read.limit as usize;
    // Positions have gaps, so at most this many events were skipped.
    let passed = read_to.get() - read.after.get();
    let cut_short = read.filter != Filter::all() && passed >= MAX_EVENTS_PASSED_OVER as u64;
    let last_event = rows.last().map(|row| row.try_get("event_id")).transpose();
    let last_event: Option<Uuid> = last_event.map_err(store_error)?;
    let page = Page::new(decoded(rows), read_to, full || cut_short);
    Ok(page.last_event(last_event.map(EventId::from_uuid)))
}

pub(super) async fn stream_versions(
    pool: &Pool,
    streams: &[StreamId],
) -> Result<Vec<StreamVersion>, StoreError> {
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    let streams: Vec<_> = streams.iter().map(StreamId::as_str).collect();
    let rows = pool.query(STREAM_VERSIONS, &[&streams]).await?;
    let version = |row: tokio_postgres::Row| {
        from_bigint(row.try_get(0).map_err(store_error)?).map(StreamVersion::new)
    };
    rows.into_iter().map(version).collect()
}

pub(super) async fn safe_position(pool: &Pool) -> Result<Position, StoreError> {
    let row = pool.query_one(SAFE_POSITION, &[]).await?;
    from_bigint(row.try_get(0).map_err(store_error)?).map(Position::new)
}

/// A number as arguments take it. The server keeps some of them as `integer`: what is more means no limit.
pub(super) fn count(number: u32) -> i64 {
    i64::from(number).min(i64::from(i32::MAX))
}

/// `NULL` for all types.
pub(super) fn types(types: &[EventType]) -> Option<Vec<&str>> {
    (!types.is_empty()).then(|| types.iter().map(EventType::as_str).collect())
}
