//! [`Event`]: converts a type of yours to an event type and a JSON payload, and back.

use std::error::Error;
use std::fmt;

use crate::values::error_chain::debug_as_chain;
use crate::values::{Payload, StreamId};

/// A domain event, usually an enum with one variant for each thing that can happen.
///
/// Derive it next to serde's traits:
///
/// ```
/// use eventcore::Event;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
/// enum AccountEvent {
///     Opened { owner: String },
///     #[event(name = "MoneyDeposited")]
///     Deposited { cents: u64 },
///     Closed,
/// }
///
/// let event = AccountEvent::Deposited { cents: 5 };
/// assert_eq!(event.event_type(), "MoneyDeposited");
/// assert_eq!(event.encode()?, serde_json::json!({ "cents": 5 }));
/// assert_eq!(AccountEvent::decode("Closed", &serde_json::json!({}).into())?, AccountEvent::Closed);
/// # Ok::<(), eventcore::EventError>(())
/// ```
///
/// The derive stores each variant under its own name, or under the name in `#[event(name = "…")]`.
/// That attribute keeps stored events readable when you rename the variant. The payload consists of
/// the variant's fields.
///
/// When an event must change, the stored events stay as they are. Give the new event another name,
/// and name a function that converts an old event to the new one. No other code sees old events:
///
/// ```
/// # use eventcore::{Event, Payload};
/// # use serde::{Deserialize, Serialize};
/// # use serde_json::json;
/// #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
/// enum AccountEvent {
///     #[event(name = "Deposited.v2")]
///     #[upcast(from = "Deposited", with = deposited_v1)]
///     Deposited { cents: u64 },
/// }
///
/// #[derive(Deserialize)]
/// struct DepositedV1 {
///     euros: u64,
/// }
///
/// fn deposited_v1(old: DepositedV1) -> AccountEvent {
///     AccountEvent::Deposited { cents: old.euros * 100 }
/// }
///
/// let old = Payload::from(json!({ "euros": 3 }));
/// assert_eq!(AccountEvent::decode("Deposited", &old)?, AccountEvent::Deposited { cents: 300 });
/// # Ok::<(), eventcore::EventError>(())
/// ```
///
/// If the event has a field marked `#[stream]`, that field names the event's stream, and the event
/// cannot be written to another one.
pub trait Event: Sized + Send + Sync + 'static {
    /// The name that the event is stored under.
    fn event_type(&self) -> &str;

    /// The payload: any JSON value but null.
    ///
    /// # Errors
    ///
    /// The event cannot be written as JSON, or only as null.
    fn encode(&self) -> Result<Payload, EventError>;

    /// The event that was stored under this name with this payload.
    ///
    /// # Errors
    ///
    /// There is no event of this type ([`EventError::is_unknown_type`]), or the payload does not
    /// fit the type.
    fn decode(event_type: &str, payload: &Payload) -> Result<Self, EventError>;

    /// The stream of the event, if the event names it. The event can then only be written to that
    /// stream.
    fn stream_id(&self) -> Option<&StreamId> {
        None
    }

    /// All names under which events of this type are stored or were stored, for
    /// [`Filter::events_of`](crate::Filter::events_of). If the list is empty, the names are
    /// unknown.
    fn event_types() -> &'static [&'static str] {
        &[]
    }
}

/// An event that could not be encoded or decoded.
pub struct EventError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    event_type: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    UnknownType,
    Encode,
    Null,
    Decode,
    Metadata,
    OtherStream { named: StreamId, given: StreamId },
}

impl EventError {
    /// No event is stored under this name.
    pub fn unknown_type(event_type: &str) -> Self {
        Self::make(Kind::UnknownType, event_type, None)
    }

    /// The event cannot be written as JSON.
    pub fn encode(event_type: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::make(Kind::Encode, event_type, Some(source.into()))
    }

    /// The payload does not fit this event type.
    pub fn decode(event_type: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::make(Kind::Decode, event_type, Some(source.into()))
    }

    /// The metadata of the event is not of the requested type.
    pub fn metadata(event_type: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::make(Kind::Metadata, event_type, Some(source.into()))
    }

    /// The name that the event is, or would be, stored under.
    pub fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// Whether the program does not know the type of the event.
    pub fn is_unknown_type(&self) -> bool {
        self.0.kind == Kind::UnknownType
    }

    /// Whether the event names another stream than the one it was sent to.
    pub fn is_other_stream(&self) -> bool {
        matches!(self.0.kind, Kind::OtherStream { .. })
    }

    pub(crate) fn other_stream(event_type: &str, named: &StreamId, given: StreamId) -> Self {
        let named = named.clone();
        Self::make(Kind::OtherStream { named, given }, event_type, None)
    }

    pub(crate) fn null(event_type: &str) -> Self {
        Self::make(Kind::Null, event_type, None)
    }

    fn make(kind: Kind, event_type: &str, source: Option<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Inner {
            kind,
            event_type: event_type.to_owned(),
            source,
        }))
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event_type = &self.0.event_type;
        match &self.0.kind {
            Kind::UnknownType => write!(f, "unknown event type {event_type:?}"),
            Kind::Encode => write!(f, "cannot encode an event of type {event_type:?}"),
            Kind::Null => write!(f, "the payload of an event of type {event_type:?} is null"),
            Kind::Decode => write!(f, "cannot decode an event of type {event_type:?}"),
            Kind::Metadata => write!(
                f,
                "cannot decode the metadata of an event of type {event_type:?}"
            ),
            Kind::OtherStream { named, given } => write!(
                f,
                "an event of type {event_type:?} that names the stream {named:?} cannot be written to \
                 {given:?}"
            ),
        }
    }
}

debug_as_chain!(EventError);

impl Error for EventError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
