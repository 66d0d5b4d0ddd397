//! What an export holds, back into a store: as it was, or appended again.

use std::collections::HashSet;
use std::pin::pin;

use eventcore::ErrorCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

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

impl ExportedEvent {
    /// How many bytes its payload and its metadata have.
    #[must_use]
    pub fn size(&self) -> usize {
        let metadata = self.metadata.as_ref();
        self.payload.get().len() + metadata.map_or(0, |metadata| metadata.get().len())
    }
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
    let _running = session.begins();
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

/// The most events of one append: it declares at most 1,000 streams.
const MOST_EVENTS: usize = 1_000;

/// The most bytes of payloads and metadata of one append, unless a single event has more: the server
/// holds many times what is sent.
const MOST_BYTES: usize = 8 << 20;

/// How many events of the beginning may be one append.
#[must_use]
pub fn appendable(events: &[ExportedEvent]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&ExportedEvent| {
        bytes += event.size();
        bytes <= MOST_BYTES
    };
    let count = events.iter().take(MOST_EVENTS).take_while(fits).count();
    count.max(1).min(events.len())
}

/// Appends events again: their ids, streams, versions, correlations and causations stay, positions
/// and times are new. Returns how many were there already from an earlier run. Needs
/// `eventcore_writer`, and version 0.2.0 of the extension.
///
/// They are one append. If an earlier run had ended within them, because its file ended there, they
/// are several.
///
/// # Errors
///
/// A stream is not where the events go on (SE001), and the other errors of `eventcore_append`.
pub async fn append_again(session: &Session, events: &[ExportedEvent]) -> Result<usize, Error> {
    let (mut repeated, mut left) = (0, vec![events]);
    while let Some(part) = left.pop() {
        match append(session, part).await {
            Ok(true) => repeated += part.len(),
            Ok(false) => {}
            // Some of them are there.
            Err(error) if part.len() > 1 && is_mismatch(&error) => {
                let (first, second) = part.split_at(part.len() / 2);
                left.extend([second, first]);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(repeated)
}

fn is_mismatch(error: &Error) -> bool {
    error.sqlstate() == Some(ErrorCode::IdempotencyMismatch.sqlstate())
}

/// Payloads and metadata go as the texts that they are.
const APPEND: &str = "\
SELECT eventcore_append_compact($1, $2, $3, $4, $5, $6, $7, correlation_ids => $8, causation_ids => $9)";

/// Appends events in one step. Returns whether an earlier append had written them.
async fn append(session: &Session, events: &[ExportedEvent]) -> Result<bool, Error> {
    let (mut streams, mut expected) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    for event in events {
        if known.insert(event.stream_id.as_str()) {
            streams.push(event.stream_id.as_str());
            expected.push(event.version - 1);
        }
    }
    let row = session
        .query_one(
            APPEND,
            &[
                &streams,
                &expected,
                &column(events, |event| event.stream_id.as_str()),
                &column(events, |event| event.event_type.as_str()),
                &column(events, |event| event.payload.get()),
                &column(events, |event| {
                    event.metadata.as_ref().map(|json| json.get())
                }),
                &column(events, |event| event.event_id),
                &column(events, |event| event.correlation_id),
                &column(events, |event| event.causation_id),
            ],
        )
        .await?;
    // The fourth value of the result, after the positions and the time.
    let result: Vec<Option<i64>> = row.try_get(0)?;
    Ok(result.get(3) == Some(&Some(1)))
}

fn column<'a, T>(events: &'a [ExportedEvent], of: impl Fn(&'a ExportedEvent) -> T) -> Vec<T> {
    events.iter().map(of).collect()
}
