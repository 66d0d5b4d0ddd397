//! Events that a store returns: [`RecordedEvent`] in stored form, [`StoredEvent`] with your own
//! type in it.

use std::time::SystemTime;

use serde::de::DeserializeOwned;

use super::event::{Event, EventError};
use crate::values::{
    CausationId, CorrelationId, EventId, EventType, Metadata, Payload, Position, StreamId,
    StreamVersion,
};

/// An event in stored form: one row of `eventcore.events`.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Its place among all events of the store.
    pub position: Position,
    /// The stream that it is in.
    pub stream_id: StreamId,
    /// The version that it brought its stream to.
    pub version: StreamVersion,
    /// Its identity.
    pub event_id: EventId,
    /// The name that it is stored under.
    pub event_type: EventType,
    /// What happened: any JSON value but null.
    pub payload: Payload,
    /// The metadata stored with it.
    pub metadata: Option<Metadata>,
    /// The logical operation that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// What directly caused it.
    pub causation_id: Option<CausationId>,
    /// When the store recorded it, by its clock.
    pub recorded_at: SystemTime,
}

/// An event of your type `E`, with everything that the store knows about it. `M` is the type of its
/// metadata.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredEvent<E, M = Metadata> {
    /// Its place among all events of the store.
    pub position: Position,
    /// The stream that it is in.
    pub stream_id: StreamId,
    /// The version that it brought its stream to.
    pub version: StreamVersion,
    /// Its identity.
    pub event_id: EventId,
    /// The name that it is stored under.
    pub event_type: EventType,
    /// What happened.
    pub event: E,
    /// The metadata stored with it.
    pub metadata: Option<M>,
    /// The logical operation that it belongs to.
    pub correlation_id: Option<CorrelationId>,
    /// What directly caused it.
    pub causation_id: Option<CausationId>,
    /// When the store recorded it, by its clock.
    pub recorded_at: SystemTime,
}

impl RecordedEvent {
    /// The event as your type, its metadata as it is.
    ///
    /// # Errors
    ///
    /// `E` does not know the type of the event, or the payload does not fit that type.
    pub fn decode<E: Event>(self) -> Result<StoredEvent<E>, EventError> {
        let event = E::decode(self.event_type.as_str(), &self.payload)?;
        Ok(self.with_event(event))
    }

    /// The event and its metadata as your types.
    ///
    /// # Errors
    ///
    /// Like [`decode`](Self::decode); or the metadata is not an `M`.
    pub fn decode_with<E: Event, M: DeserializeOwned>(
        mut self,
    ) -> Result<StoredEvent<E, M>, EventError> {
        let event = E::decode(self.event_type.as_str(), &self.payload)?;
        let metadata = match self.metadata.take() {
            None => None,
            Some(metadata) => Some(
                metadata
                    .decode()
                    .map_err(|source| EventError::metadata(self.event_type.as_str(), source))?,
            ),
        };
        Ok(self.into_stored(event, metadata))
    }

    /// The same event with its decoded payload.
    pub(crate) fn with_event<E>(mut self, event: E) -> StoredEvent<E> {
        let metadata = self.metadata.take();
        self.into_stored(event, metadata)
    }

    fn into_stored<E, M>(self, event: E, metadata: Option<M>) -> StoredEvent<E, M> {
        StoredEvent {
            event,
            position: self.position,
            stream_id: self.stream_id,
            version: self.version,
            event_id: self.event_id,
            event_type: self.event_type,
            metadata,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            recorded_at: self.recorded_at,
        }
    }
}
