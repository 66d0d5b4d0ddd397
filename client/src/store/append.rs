//! [`Append`]: what to check and what to write, and [`Appended`]: what the store did.

use std::time::SystemTime;

use eventcore_rules::ExpectedVersion;

use super::error::StoreError;
use super::event::{Event, EventError};
use crate::values::{
    CausationId, CorrelationId, EventId, EventType, Metadata, Payload, Position, StreamId,
    StreamVersion,
};

/// Events to write atomically, and what the declared streams must fulfil.
///
/// Every declared stream is checked in the same transaction, even if no event goes to it. An event
/// may only go to a declared stream. An append without events only checks its streams.
///
/// Sending the same append again, with the same event ids, writes nothing and returns the first
/// result ([`Appended::repeated`]). Clone the append to keep the ids. If a written stream is
/// expected at an exact version, this works at any time later. Otherwise it works until each stream
/// has 100 later events.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Append {
    /// The declared streams and the version expected of each. At most 1,000, each once, in any
    /// order.
    pub streams: Vec<(StreamId, ExpectedVersion)>,
    /// The events in the order in which they get their positions.
    pub events: Vec<NewEvent>,
    /// Stored with every event.
    pub correlation_id: Option<CorrelationId>,
    /// Stored with every event.
    pub causation_id: Option<CausationId>,
    /// The position of an append on which the expected versions rest, if its result was not read
    /// again since. If the store has begun another history after it, as after a fail-over that lost
    /// events, the append is refused ([`StoreError::is_diverged`]): the same version may stand for
    /// another event now.
    pub known_position: Option<Position>,
}

/// An event to be written.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewEvent {
    /// The stream that it goes to.
    pub stream_id: StreamId,
    /// Its identity.
    pub event_id: EventId,
    /// The name to store it under.
    pub event_type: EventType,
    /// What happened: any JSON value but null.
    pub payload: Payload,
    /// Stored with the event. Arrays and objects may be nested up to 127 levels deep.
    pub metadata: Option<Metadata>,
}

/// What a store answers to an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The position of the first event; `None` if the append had no events.
    pub first_position: Option<Position>,
    /// The position of the last event; `None` if the append had no events.
    pub last_position: Option<Position>,
    /// The version of each declared stream after the append, in the order of [`Append::streams`].
    pub versions: Vec<StreamVersion>,
    /// When the store recorded the events, by its clock.
    pub recorded_at: SystemTime,
    /// Whether the same append had already written the events before.
    pub repeated: bool,
}

impl Append {
    /// An append that declares no stream and has no event yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Declares a stream and the version expected of it.
    #[must_use]
    pub fn stream(mut self, stream_id: StreamId, expected: ExpectedVersion) -> Self {
        self.streams.push((stream_id, expected));
        self
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }

    /// Sets the correlation id of the events.
    #[must_use]
    pub fn correlation_id(mut self, id: CorrelationId) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets the causation id of the events.
    #[must_use]
    pub fn causation_id(mut self, id: CausationId) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets the position of an append on which the expected versions rest.
    #[must_use]
    pub fn known_position(mut self, position: Position) -> Self {
        self.known_position = Some(position);
        self
    }
}

impl NewEvent {
    /// An event with a new id and no metadata.
    pub fn new(stream_id: StreamId, event_type: EventType, payload: impl Into<Payload>) -> Self {
        Self {
            stream_id,
            event_id: EventId::new(),
            event_type,
            payload: payload.into(),
            metadata: None,
        }
    }

    /// An event of your type, with a new id and no metadata.
    ///
    /// # Errors
    ///
    /// The event cannot be encoded, its type's name is not a valid event type, or the event names
    /// another stream itself ([`EventError::is_other_stream`]).
    pub fn encode<E: Event>(stream_id: StreamId, event: &E) -> Result<Self, EventError> {
        let name = event.event_type();
        if let Some(named) = event.stream_id().filter(|named| **named != stream_id) {
            return Err(EventError::other_stream(name, named, stream_id));
        }
        let event_type =
            EventType::recent(name).map_err(|reason| EventError::encode(name, reason))?;
        Ok(Self::new(stream_id, event_type, event.encode()?))
    }

    /// Sets the id.
    #[must_use]
    pub fn event_id(mut self, id: EventId) -> Self {
        self.event_id = id;
        self
    }

    /// Sets the metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Metadata>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }
}

impl From<EventError> for StoreError {
    fn from(error: EventError) -> Self {
        StoreError::malformed("events", None, error)
    }
}
