//! What an export holds, back into a store: as it was, or appended again.

use std::pin::pin;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::append::{Appended, Declared, NewEvent, append};
use crate::error::Error;
use crate::export::StreamState;
use crate::session::Session;
use crate::time::Time;

/// An event of an export.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of an event")]
pub struct ExportedEvent {
    pub position: i64,
    pub stream_id: String,
    pub version: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub payload: Box<RawValue>,
    pub metadata: Option<Box<RawValue>>,
    pub correlation_id: Option<Uuid>,
    pub causation_id: Option<Uuid>,
    pub recorded_at: Time,
}

/// A line of an export, but the first.
#[derive(Debug, Clone)]
pub enum Line {
    /// An event.
    Event(Box<ExportedEvent>),
    /// A stream that takes no more events.
    State(StreamState),
}

impl std::str::FromStr for Line {
    type Err = serde_json::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        // Every event begins with its position, as `export` writes it.
        match line.starts_with("{\"position\"") {
            true => serde_json::from_str(line).map(|event| Self::Event(Box::new(event))),
            false => serde_json::from_str(line).map(Self::State),
        }
    }
}

const LAST: &str =
    "SELECT e.position, e.event_id FROM eventcore.events e ORDER BY e.position DESC LIMIT 1";

/// The position and the id of the last event of a store; `None` if it has none.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn last_event(session: &Session) -> Result<Option<(i64, Uuid)>, Error> {
    let row = session.query_opt(LAST, &[]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}

const COPY: &str = "\
COPY eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload, metadata, correlation_id, causation_id)
FROM STDIN WITH (FORMAT binary)";

const TYPES: [Type; 10] = [
    Type::INT8,
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::TEXT,
    Type::TEXT,
    Type::JSONB,
    Type::JSONB,
    Type::UUID,
    Type::UUID,
];

/// Writes events with their positions and times, in one transaction, as `pg_restore` does. Needs the
/// rights of the owner of the extension. Readers wait until it has committed.
///
/// # Errors
///
/// A row that no append could have written (SE003), a position or version that is there already, or
/// the role may not.
pub async fn restore(session: &Session, events: &[ExportedEvent]) -> Result<u64, Error> {
    session.extension()?;
    let sink = session.client().copy_in(COPY).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for event in events {
        writer
            .as_mut()
            .write(&[
                &event.position,
                &event.version,
                &event.recorded_at,
                &event.event_id,
                &event.stream_id,
                &event.event_type,
                &Json(&event.payload),
                &event.metadata.as_ref().map(Json),
                &event.correlation_id,
                &event.causation_id,
            ])
            .await?;
    }
    Ok(writer.finish().await?)
}

const RESTORE_STATE: &str = "\
INSERT INTO eventcore.streams (stream_id, state, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

/// Closes a stream as it was. Needs the rights of the owner of the extension.
///
/// # Errors
///
/// The role may not, or the connection is lost.
pub async fn restore_state(session: &Session, state: &StreamState) -> Result<(), Error> {
    session
        .query(
            RESTORE_STATE,
            &[&state.stream_id, &state.state, &state.reason],
        )
        .await?;
    Ok(())
}

/// How many events of the beginning may be one append: one correlation and causation id serves an
/// append, and it declares at most 1000 streams.
#[must_use]
pub fn appendable(events: &[ExportedEvent], most: usize) -> usize {
    let Some(first) = events.first() else {
        return 0;
    };
    let same = |event: &&ExportedEvent| {
        event.correlation_id == first.correlation_id && event.causation_id == first.causation_id
    };
    events.iter().take(most.min(1000)).take_while(same).count()
}

/// Appends events again, in one step: their ids, streams and versions stay, positions and times are
/// new. If they are there already from an earlier run, it writes nothing and says so. Needs
/// `eventcore_writer`.
///
/// # Errors
///
/// A stream is not where the events go on (SE001), and the other errors of `eventcore_append`.
pub async fn append_again(session: &Session, events: &[ExportedEvent]) -> Result<Appended, Error> {
    let mut declared: Vec<Declared> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for event in events {
        if known.insert(event.stream_id.as_str()) {
            declared.push(Declared {
                stream: event.stream_id.clone(),
                expected: Some(event.version - 1),
            });
        }
    }
    let new = events.iter().map(|event| NewEvent {
        stream: event.stream_id.clone(),
        event_type: event.event_type.clone(),
        payload: event.payload.clone(),
        metadata: event.metadata.clone(),
        id: Some(event.event_id),
    });
    let new: Vec<NewEvent> = new.collect();
    let (correlation, causation) = match events.first() {
        Some(first) => (first.correlation_id, first.causation_id),
        None => (None, None),
    };
    append(session, &declared, &new, correlation, causation).await
}
