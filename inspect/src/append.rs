//! Appending events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::session::Session;
use crate::time::Time;

/// An event to append, as `eventcore_append` takes it in its JSON form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// The stream.
    pub stream: String,
    /// What happened.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its data.
    pub payload: Box<RawValue>,
    /// Data about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
    /// Its id; `None`: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
}

/// A stream that has to be at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The stream.
    pub stream: String,
    /// The version: n exactly n, 0 no event yet, -1 at least one, `None` any.
    pub expected: Option<i64>,
}

/// The result of an append.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Appended {
    /// The position of its first event.
    pub first_position: Option<i64>,
    /// The position of its last event.
    pub last_position: Option<i64>,
    /// Each declared stream and its version afterwards.
    pub streams: Vec<StreamVersion>,
    /// When the events were written.
    pub recorded_at: Time,
    /// Whether an earlier append had already written them.
    pub repeated: bool,
}

/// A stream and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct StreamVersion {
    /// The stream.
    pub stream_id: String,
    /// Its version.
    pub version: i64,
}

impl StreamVersion {
    pub(crate) fn of(streams: Vec<String>, versions: Vec<i64>) -> Vec<Self> {
        let pairs = streams.into_iter().zip(versions);
        pairs
            .map(|(stream_id, version)| Self { stream_id, version })
            .collect()
    }
}

/// Arrays and no JSON around the events: the payloads go as they are.
const APPEND: &str = "SELECT * FROM eventcore_append($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Appends events atomically, if each declared stream is at its version. Needs `eventcore_writer`.
///
/// # Errors
///
/// SE001 to SE005 of `eventcore_append`, or the role may not append (42501).
pub async fn append(
    session: &Session,
    declared: &[Declared],
    events: &[NewEvent],
    correlation: Option<Uuid>,
    causation: Option<Uuid>,
) -> Result<Appended, Error> {
    let streams: Vec<&str> = declared.iter().map(|of| of.stream.as_str()).collect();
    let expected: Vec<Option<i64>> = declared.iter().map(|of| of.expected).collect();
    let event_streams: Vec<&str> = events.iter().map(|event| event.stream.as_str()).collect();
    let types: Vec<&str> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    let payloads: Vec<_> = events.iter().map(|event| Json(&event.payload)).collect();
    let metadata: Vec<_> = events
        .iter()
        .map(|event| event.metadata.as_ref().map(Json))
        .collect();
    let ids: Vec<Option<Uuid>> = events.iter().map(|event| event.id).collect();
    let row = session
        .query_one(
            APPEND,
            &[
                &streams,
                &expected,
                &event_streams,
                &types,
                &payloads,
                &metadata,
                &ids,
                &correlation,
                &causation,
            ],
        )
        .await?;
    read(&row, declared)
}

fn read(row: &Row, declared: &[Declared]) -> Result<Appended, Error> {
    let streams = declared.iter().map(|of| of.stream.clone()).collect();
    Ok(Appended {
        first_position: row.try_get("first_position")?,
        last_position: row.try_get("last_position")?,
        streams: StreamVersion::of(streams, row.try_get("versions")?),
        recorded_at: row.try_get("recorded_at")?,
        repeated: row.try_get("repeated")?,
    })
}
