//! What a process manager stores: the events in the stream of a process, and timeouts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{Event, EventError, NewEvent, RecordedEvent};
use crate::values::own_events::{ACCEPTED, DONE, REJECTED, TIMEOUT};
use crate::values::{
    CorrelationId, EventId, EventType, InvalidValue, Payload, ProcessId, StreamId, StreamVersion,
};

/// A process has accepted a trigger: the state after it, and the commands to execute.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Acceptance {
    pub(super) trigger: TriggerRecord,
    pub(super) state: Value,
    pub(super) commands: Vec<CommandRecord>,
    /// The names of the requested timeouts.
    pub(super) timeouts: Vec<String>,
    pub(super) ended: bool,
    /// Rejected commands that the process has yet to receive as triggers after this one.
    pub(super) pending: Vec<RejectedCommand>,
}

/// A trigger in stored form, so that it can be found again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum TriggerRecord {
    Event {
        event_id: EventId,
        stream_id: StreamId,
        version: StreamVersion,
    },
    Timeout(DueTimeout),
    Rejected(RejectedCommand),
}

/// A command in stored form: enough to tell it from another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CommandRecord {
    pub(super) name: String,
    pub(super) streams: Vec<StreamId>,
}

/// A timeout that is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DueTimeout {
    /// The id of its event.
    pub(super) event_id: EventId,
    pub(super) name: String,
    pub(super) due: Moment,
    pub(super) correlation_id: CorrelationId,
}

/// A rejected command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RejectedCommand {
    /// The id of the event that records the rejection.
    pub(super) event_id: EventId,
    pub(super) command: String,
    pub(super) index: usize,
    pub(super) message: String,
    pub(super) at: Moment,
    pub(super) correlation_id: CorrelationId,
}

/// A time, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Moment(u64);

/// An event in the stream of a process.
pub(super) enum Record {
    Accepted(Acceptance),
    Done(CommandId),
    Rejected(RejectionRecord),
}

/// Identifies a command. As an event: the command is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct CommandId {
    /// The id of the trigger.
    pub(super) trigger: EventId,
    pub(super) index: usize,
}

/// An event: a command of the last trigger was rejected.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RejectionRecord {
    #[serde(flatten)]
    pub(super) command_id: CommandId,
    pub(super) command: String,
    pub(super) message: String,
}

/// An event: a process has asked for a timeout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Timeout {
    pub(super) process: ProcessId,
    pub(super) name: String,
    pub(super) due: Moment,
}

impl Acceptance {
    pub(super) fn to_event(&self, stream: StreamId) -> Result<NewEvent, EventError> {
        to_event(stream, ACCEPTED, self)
    }
}

impl CommandId {
    pub(super) fn to_event(&self, stream: StreamId) -> Result<NewEvent, EventError> {
        to_event(stream, DONE, self)
    }
}

impl RejectionRecord {
    pub(super) fn to_event(&self, stream: StreamId) -> Result<NewEvent, EventError> {
        to_event(stream, REJECTED, self)
    }
}

impl Record {
    pub(super) fn from_event(event: RecordedEvent) -> Result<Self, EventError> {
        let name = event.event_type.as_str();
        match name {
            ACCEPTED => from_payload(name, &event.payload).map(Self::Accepted),
            DONE => from_payload(name, &event.payload).map(Self::Done),
            REJECTED => from_payload(name, &event.payload).map(Self::Rejected),
            _ => Err(EventError::unknown_type(name)),
        }
    }
}

impl Timeout {
    pub(super) fn event_type() -> Result<EventType, InvalidValue> {
        EventType::new(TIMEOUT)
    }
}

impl Event for Timeout {
    fn event_type(&self) -> &str {
        TIMEOUT
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Payload::encode(self).map_err(|source| EventError::encode(TIMEOUT, source))
    }

    fn decode(event_type: &str, payload: &Payload) -> Result<Self, EventError> {
        from_payload(event_type, payload)
    }
}

impl TriggerRecord {
    /// The id of the trigger's event: the event itself, the timeout's event, or the event that
    /// records the rejection.
    pub(super) fn event_id(&self) -> EventId {
        match self {
            Self::Event { event_id, .. } => *event_id,
            Self::Timeout(timeout) => timeout.event_id,
            Self::Rejected(rejected) => rejected.event_id,
        }
    }
}

impl RejectedCommand {
    /// A rejection that was recorded with this id at this time.
    pub(super) fn new(
        rejection: RejectionRecord,
        event_id: EventId,
        at: Moment,
        correlation_id: CorrelationId,
    ) -> Self {
        Self {
            event_id,
            command: rejection.command,
            index: rejection.command_id.index,
            message: rejection.message,
            at,
            correlation_id,
        }
    }
}

impl Moment {
    pub(super) fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// The moment this much later; `None` if it is beyond what a clock can represent.
    pub(super) fn after(self, time: Duration) -> Option<Self> {
        let micros = u64::try_from(time.as_micros()).ok()?;
        self.0.checked_add(micros).map(Self)
    }

    /// The time from `then` to this moment; zero if `then` is not earlier.
    pub(super) fn since(self, then: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(then.0))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }
}

/// The correlation id for everything that a trigger leads to: the trigger's own, or one made from
/// its event id, so that every runner gets the same.
pub(super) fn correlation(own: Option<CorrelationId>, event_id: EventId) -> CorrelationId {
    own.unwrap_or_else(|| CorrelationId::from_uuid(event_id.as_uuid()))
}

fn to_event(stream: StreamId, name: &str, record: &impl Serialize) -> Result<NewEvent, EventError> {
    let payload = Payload::encode(record).map_err(|source| EventError::encode(name, source))?;
    let event_type = EventType::new(name).map_err(|source| EventError::encode(name, source))?;
    Ok(NewEvent::new(stream, event_type, payload))
}

fn from_payload<T: DeserializeOwned>(name: &str, payload: &Payload) -> Result<T, EventError> {
    payload
        .decode()
        .map_err(|source| EventError::decode(name, source))
}
