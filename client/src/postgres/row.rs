//! Rows of events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_postgres::Row;
use uuid::Uuid;

use super::error::store_error;
use crate::store::{RecordedEvent, StoreError};
use crate::values::{
    CausationId, CorrelationId, EventId, EventType, InvalidValue, Metadata, Payload, Position,
    StreamId, StreamVersion,
};

/// The columns of an event, in the order in which [`event`] reads them. Put other columns after
/// them, and read those by name. A macro, for `concat!`.
macro_rules! event_columns {
    () => {
        "position, stream_id, version, event_id, event_type, payload, metadata, correlation_id, causation_id, recorded_at"
    };
}

pub(super) use event_columns;

pub(super) fn events(rows: Vec<Row>) -> Result<Vec<RecordedEvent>, StoreError> {
    decoded(rows).collect()
}

/// The events of rows. Each is decoded when it is taken.
pub(super) fn decoded(
    rows: Vec<Row>,
) -> impl Iterator<Item = Result<RecordedEvent, StoreError>> + Send {
    let mut before: Option<(StreamId, EventType)> = None;
    rows.into_iter().map(move |row| {
        let names = before
            .as_ref()
            .map(|(stream, event_type)| (stream, event_type));
        let event = event(&row, names)?;
        before = Some((event.stream_id.clone(), event.event_type.clone()));
        Ok(event)
    })
}

/// A version or position as a bigint of PostgreSQL.
pub(super) fn to_bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A version or position from a bigint, which is never negative.
pub(super) fn from_bigint(number: i64) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(StoreError::other)
}

/// A time from microseconds since 1970, which is never before.
pub(super) fn from_microseconds(time: i64) -> Result<SystemTime, StoreError> {
    let since = Duration::from_micros(from_bigint(time)?);
    let time = UNIX_EPOCH.checked_add(since);
    time.ok_or_else(|| StoreError::other("a time is out of range"))
}

/// Reads the columns of [`event_columns`]. Shares the names with the previous event, because
/// streams and types repeat.
pub(super) fn event(
    row: &Row,
    before: Option<(&StreamId, &EventType)>,
) -> Result<RecordedEvent, StoreError> {
    let stream_id: &str = row.try_get(1).map_err(store_error)?;
    let event_type: &str = row.try_get(4).map_err(store_error)?;
    let metadata: Option<Payload> = row.try_get(6).map_err(store_error)?;
    let correlation_id: Option<Uuid> = row.try_get(7).map_err(store_error)?;
    let causation_id: Option<Uuid> = row.try_get(8).map_err(store_error)?;
    Ok(RecordedEvent {
        position: Position::new(from_bigint(row.try_get(0).map_err(store_error)?)?),
        stream_id: match before {
            Some((before, _)) if *before == *stream_id => before.clone(),
            _ => StreamId::new(stream_id).map_err(invalid)?,
        },
        version: StreamVersion::new(from_bigint(row.try_get(2).map_err(store_error)?)?),
        event_id: EventId::from_uuid(row.try_get(3).map_err(store_error)?),
        event_type: match before {
            Some((_, before)) if *before == *event_type => before.clone(),
            _ => EventType::new(event_type).map_err(invalid)?,
        },
        payload: row.try_get(5).map_err(store_error)?,
        metadata: metadata.map(Metadata::of_store),
        correlation_id: correlation_id.map(CorrelationId::from_uuid),
        causation_id: causation_id.map(CausationId::from_uuid),
        recorded_at: row.try_get(9).map_err(store_error)?,
    })
}

fn invalid(error: InvalidValue) -> StoreError {
    StoreError::other(error)
}
