//! [`ProjectionError`]: why a projection stopped.

use std::error::Error;
use std::fmt;

use crate::consumer::HandlerError;
use crate::store::StoreError;
use crate::subscription::FollowError;
use crate::values::error_chain::debug_as_chain;
use crate::values::{Position, StreamId};

/// Why a projection stopped. Its checkpoint is where it was before the failed batch.
pub struct ProjectionError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    projection: String,
    kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Store(StoreError),
    Undecodable(FollowError),
    Apply {
        position: Position,
        stream_id: StreamId,
        source: HandlerError,
    },
}

impl ProjectionError {
    pub(super) fn new(projection: &str, kind: Kind) -> Self {
        let projection = projection.to_owned();
        Self(Box::new(Inner { projection, kind }))
    }

    /// The name of the projection.
    pub fn projection(&self) -> &str {
        &self.0.projection
    }

    /// The position of the event that the projection could not apply.
    pub fn position(&self) -> Option<Position> {
        match &self.0.kind {
            Kind::Store(_) => None,
            Kind::Undecodable(error) => error.position(),
            Kind::Apply { position, .. } => Some(*position),
        }
    }

    /// The stream of that event.
    pub fn stream_id(&self) -> Option<&StreamId> {
        match &self.0.kind {
            Kind::Store(_) => None,
            Kind::Undecodable(error) => error.stream_id(),
            Kind::Apply { stream_id, .. } => Some(stream_id),
        }
    }

    /// Whether the event does not fit the projection's event type.
    pub fn is_undecodable(&self) -> bool {
        matches!(self.0.kind, Kind::Undecodable(_))
    }

    /// The error of the store, unless it belongs to an event.
    pub fn store(&self) -> Option<&StoreError> {
        match &self.0.kind {
            Kind::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ProjectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let projection = &self.0.projection;
        match &self.0.kind {
            Kind::Store(_) => write!(f, "projection {projection:?} has stopped"),
            Kind::Undecodable(error) => {
                write!(f, "projection {projection:?} has stopped: {error}")
            }
            Kind::Apply {
                position,
                stream_id,
                ..
            } => write!(
                f,
                "projection {projection:?} has stopped: it does not take in the event at position \
                 {position}, of stream {stream_id:?}"
            ),
        }
    }
}

debug_as_chain!(ProjectionError);

impl Error for ProjectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            Kind::Store(error) => Some(error),
            Kind::Undecodable(error) => error.source(),
            Kind::Apply { source, .. } => Some(&**source),
        }
    }
}
