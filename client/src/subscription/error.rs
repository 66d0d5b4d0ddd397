//! [`FollowError`]: why there is no next event of your type.

use std::error::Error;
use std::fmt;

use crate::store::{Event, EventError, RecordedEvent, StoreError, StoredEvent};
use crate::values::error_chain::debug_as_chain;
use crate::values::own_events;
use crate::values::{EventType, Position, StreamId};

/// Why there is no next event of your type. Use the `is_*` methods to classify it.
pub struct FollowError(Box<Inner>);

#[derive(Debug)]
enum Inner {
    Store(StoreError),
    Undecodable {
        position: Position,
        stream_id: StreamId,
        event_type: EventType,
        source: EventError,
    },
}

impl FollowError {
    /// Whether the error concerns one event: the program does not know its type, or the payload
    /// does not fit.
    pub fn is_undecodable(&self) -> bool {
        matches!(*self.0, Inner::Undecodable { .. })
    }

    /// The position of the event that cannot be decoded.
    pub fn position(&self) -> Option<Position> {
        match &*self.0 {
            Inner::Undecodable { position, .. } => Some(*position),
            Inner::Store(_) => None,
        }
    }

    /// The stream of the event that cannot be decoded.
    pub fn stream_id(&self) -> Option<&StreamId> {
        match &*self.0 {
            Inner::Undecodable { stream_id, .. } => Some(stream_id),
            Inner::Store(_) => None,
        }
    }

    /// The type of the event that cannot be decoded.
    pub fn event_type(&self) -> Option<&EventType> {
        match &*self.0 {
            Inner::Undecodable { event_type, .. } => Some(event_type),
            Inner::Store(_) => None,
        }
    }

    /// The error of the store.
    pub fn store(&self) -> Option<&StoreError> {
        match &*self.0 {
            Inner::Store(error) => Some(error),
            Inner::Undecodable { .. } => None,
        }
    }

    /// The event as an `E`. `None` for an event that a process manager wrote for its own use,
    /// unless `E` knows it.
    pub(crate) fn decode_or_skip<E: Event>(
        event: RecordedEvent,
    ) -> Result<Option<StoredEvent<E>>, Self> {
        let is_of_managers = own_events::is_record(&event.event_type);
        match Self::decode(event) {
            Ok(event) => Ok(Some(event)),
            Err(error) if is_of_managers && error.is_unknown_type() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn is_unknown_type(&self) -> bool {
        matches!(&*self.0, Inner::Undecodable { source, .. } if source.is_unknown_type())
    }

    /// The event as an `E`, or an error that names the event.
    pub(crate) fn decode<E: Event>(event: RecordedEvent) -> Result<StoredEvent<E>, Self> {
        let (position, stream_id) = (event.position, event.stream_id.clone());
        let event_type = event.event_type.clone();
        event.decode().map_err(|source| {
            Self(Box::new(Inner::Undecodable {
                position,
                stream_id,
                event_type,
                source,
            }))
        })
    }
}

impl From<StoreError> for FollowError {
    fn from(error: StoreError) -> Self {
        Self(Box::new(Inner::Store(error)))
    }
}

impl fmt::Display for FollowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Inner::Store(error) => error.fmt(f),
            Inner::Undecodable {
                position,
                stream_id,
                event_type,
                ..
            } => write!(
                f,
                "cannot decode the event at position {position}, of type {event_type:?} in stream \
                 {stream_id:?}"
            ),
        }
    }
}

debug_as_chain!(FollowError);

impl Error for FollowError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Inner::Store(error) => error.source(),
            Inner::Undecodable { source, .. } => Some(source),
        }
    }
}
