//! [`Request`]: makes a request with an `Idempotency-Key` happen once.

use eventcore::{StreamField, StreamId};
use uuid::Uuid;

use super::Known;
use crate::domain::{OrderError, RequestEvent, RequestId, RequestKey};

/// A request with an `Idempotency-Key`. It has a stream; what the request leads to and the event
/// that it was handled are one append. So of two that arrive at once, one finds the other's event.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    id: RequestId,
    stream: StreamId,
    /// What tells its content from any other.
    fingerprint: Uuid,
}

impl Request {
    /// The request with this key and this content.
    pub fn new(key: &RequestKey, content: &[u8]) -> Self {
        let id = RequestId::of_key(key);
        Self {
            id,
            stream: id.stream(),
            fingerprint: id.fingerprint(content),
        }
    }

    /// Its id.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Whether the request was handled before.
    ///
    /// # Errors
    ///
    /// Another request was, with the same key.
    pub fn was_handled(&self, known: &Known) -> Result<bool, OrderError> {
        match known.handled {
            None => Ok(false),
            Some(fingerprint) if fingerprint == self.fingerprint => Ok(true),
            Some(_) => Err(OrderError::KeyReused),
        }
    }

    /// The event that it was handled.
    pub fn handled(&self) -> RequestEvent {
        RequestEvent::RequestHandled {
            fingerprint: self.fingerprint,
        }
    }
}

/// Makes it a type for `#[stream]` fields.
impl StreamField for Request {
    fn stream_id(&self) -> &StreamId {
        &self.stream
    }
}
