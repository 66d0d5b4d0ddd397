//! [`Event`]: a row of `eventcore.events`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::error::Error;
use crate::row::{FromRow, from_row};
use crate::time::Time;

/// An event, with the names of its columns. Payload and metadata are the server's text, so that no
/// number loses a digit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Event {
    /// Its place in the global order.
    pub position: i64,
    /// The stream.
    pub stream_id: String,
    /// Its place in the stream.
    pub version: i64,
    /// Its id.
    pub event_id: Uuid,
    /// What happened.
    pub event_type: String,
    /// Its data.
    #[schemars(with = "serde_json::Value")]
    pub payload: Box<RawValue>,
    /// Data about it.
    #[schemars(with = "Option<serde_json::Value>")]
    pub metadata: Option<Box<RawValue>>,
    /// The operation that it belongs to.
    pub correlation_id: Option<Uuid>,
    /// What caused it directly.
    pub causation_id: Option<Uuid>,
    /// When it was written, by the server's clock.
    pub recorded_at: Time,
}

from_row! {
    /// An event without its payload and its metadata, for who does not show them: they may be large.
    #[derive(Debug, Clone)]
    #[non_exhaustive]
    pub struct EventHead {
        /// Its place in the global order.
        pub position: i64,
        /// The stream.
        pub stream_id: String,
        /// Its place in the stream.
        pub version: i64,
        /// Its id.
        pub event_id: Uuid,
        /// What happened.
        pub event_type: String,
        /// The operation that it belongs to.
        pub correlation_id: Option<Uuid>,
        /// What caused it directly.
        pub causation_id: Option<Uuid>,
        /// When it was written, by the server's clock.
        pub recorded_at: Time,
    }
}

/// The columns of an [`EventHead`].
macro_rules! head_columns {
    () => {
        "e.position, e.stream_id, e.version, e.event_id, e.event_type, e.correlation_id, e.causation_id, e.recorded_at"
    };
}

pub(crate) use head_columns;

impl From<Event> for EventHead {
    fn from(event: Event) -> Self {
        Self {
            position: event.position,
            stream_id: event.stream_id,
            version: event.version,
            event_id: event.event_id,
            event_type: event.event_type,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            recorded_at: event.recorded_at,
        }
    }
}

/// The columns of an [`Event`]. A macro, for `concat!`.
macro_rules! event_columns {
    () => {
        "e.position, e.stream_id, e.version, e.event_id, e.event_type, e.payload, e.metadata, e.correlation_id, e.causation_id, e.recorded_at"
    };
}

pub(crate) use event_columns;

impl FromRow for Event {
    fn from_row(row: &Row) -> Result<Self, Error> {
        let json = |column| -> Result<Option<Box<RawValue>>, Error> {
            let value: Option<Json<Box<RawValue>>> = row.try_get(column)?;
            Ok(value.map(|Json(text)| text))
        };
        let payload = json("payload")?;
        Ok(Self {
            position: row.try_get("position")?,
            stream_id: row.try_get("stream_id")?,
            version: row.try_get("version")?,
            event_id: row.try_get("event_id")?,
            event_type: row.try_get("event_type")?,
            payload: payload.unwrap_or_else(|| RawValue::NULL.to_owned()),
            metadata: json("metadata")?,
            correlation_id: row.try_get("correlation_id")?,
            causation_id: row.try_get("causation_id")?,
            recorded_at: row.try_get("recorded_at")?,
        })
    }
}

impl From<eventcore::RecordedEvent> for Event {
    fn from(event: eventcore::RecordedEvent) -> Self {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let raw = |text: &str| {
            // A store hands out valid JSON only.
            RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned())
        };
        Self {
            position: signed(event.position.get()),
            stream_id: event.stream_id.to_string(),
            version: signed(event.version.get()),
            event_id: event.event_id.as_uuid(),
            event_type: event.event_type.to_string(),
            payload: raw(event.payload.as_str()),
            metadata: event
                .metadata
                .as_ref()
                .map(|metadata| raw(metadata.as_str())),
            correlation_id: event.correlation_id.map(|id| id.as_uuid()),
            causation_id: event.causation_id.map(|id| id.as_uuid()),
            recorded_at: Time::of_system(event.recorded_at),
        }
    }
}
