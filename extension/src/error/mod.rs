//! Every error that eventcore raises: one variant each, mapped once to SQLSTATE, message, DETAIL
//! and HINT.

mod malformed;
mod unavailable;

pub use malformed::Malformed;
pub use unavailable::{LACKS_TRIGGERS, Unavailable};

use eventcore_rules::{ErrorCode, VersionConflict};
use serde_json::{Value, json};
use uuid::Uuid;

/// Why eventcore did not do what it was asked.
#[derive(Debug)]
pub enum Error {
    /// Streams that are not where the append expected them, all of them.
    VersionConflict(Vec<VersionConflict<String>>),
    /// The event with this index, from 0, is for a stream that is not in `streams`.
    UndeclaredStream { stream: String, event: usize },
    /// An argument, or a part of it, is not as it has to be.
    Malformed(Malformed),
    /// These ids are those of an earlier append with other content.
    IdempotencyMismatch { event_ids: Vec<Uuid> },
    /// The stream takes no more events.
    StreamClosed { stream: String, state: String },
    /// No subscription has this name.
    UnknownSubscription(String),
    /// No projection has this name.
    UnknownProjection(String),
    /// The handler, or the reset function, of a projection is not there any more.
    HandlerMissing {
        projection: String,
        function: String,
    },
    /// The lease does not hold these positions, or nothing at all where none is named.
    LeaseLost {
        subscription: String,
        lease_id: Uuid,
        positions: Vec<i64>,
    },
    /// The checkpoint of a projection is not where the caller expected it.
    CheckpointMoved {
        projection: String,
        expected: i64,
        actual: i64,
    },
    /// No command has this name.
    UnknownCommand(String),
    /// A function of a command does not exist any more, or is another one.
    FunctionMissing { command: String, function: String },
    /// The function `handle` of a command raised an error.
    Rejected(Rejected),
    /// The event with this index is for a stream that the command only checks.
    OnlyChecked { stream: String, event: usize },
    /// Streams have moved since the snapshot that the transaction keeps.
    SnapshotTooOld(Vec<VersionConflict<String>>),
    /// Others had the streams that a command found on the way, each time.
    TooManyAttempts { command: String, attempts: i32 },
    /// The reader's position, or its last event, is none of this history.
    Diverged {
        /// Where the reader is.
        after: i64,
        /// Up to there its history and this one are the same.
        agreed: i64,
        /// Where this history begins or, if it has not begun yet, the first position that is not reserved.
        first: i64,
    },
    /// It cannot be done here.
    Unavailable(Unavailable),
}

/// Why `handle` decided against a command: the error that it raised.
#[derive(Debug)]
pub struct Rejected {
    pub command: String,
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Unavailable> for Error {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl Error {
    /// The SQLSTATE.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::VersionConflict(_) | Self::SnapshotTooOld(_) | Self::TooManyAttempts { .. } => {
                ErrorCode::VersionConflict
            }
            Self::UndeclaredStream { .. } | Self::OnlyChecked { .. } => ErrorCode::UndeclaredStream,
            Self::Rejected(_) => ErrorCode::CommandRejected,
            Self::UnknownCommand(_)
            | Self::FunctionMissing { .. }
            | Self::UnknownProjection(_)
            | Self::HandlerMissing { .. } => ErrorCode::UnknownName,
            Self::Malformed(_) => ErrorCode::Malformed,
            Self::IdempotencyMismatch { .. } => ErrorCode::IdempotencyMismatch,
            Self::StreamClosed { .. } => ErrorCode::StreamClosed,
            Self::UnknownSubscription(_) => ErrorCode::UnknownName,
            Self::LeaseLost { .. } | Self::CheckpointMoved { .. } => ErrorCode::LeaseLost,
            Self::Diverged { .. } => ErrorCode::Diverged,
            Self::Unavailable(_) => ErrorCode::Unavailable,
        }
    }

    /// One sentence that names the thing.
    pub fn message(&self) -> String {
        match self {
            Self::UnknownCommand(name) => format!("there is no command \"{name}\""),
            Self::FunctionMissing { command, function } => {
                format!("function {function} of command \"{command}\" is missing")
            }
            Self::UnknownProjection(name) => format!("there is no projection \"{name}\""),
            Self::HandlerMissing {
                projection,
                function,
            } => format!("function {function} of projection \"{projection}\" is missing"),
            Self::Rejected(rejected) => rejected.message.clone(),
            Self::OnlyChecked { stream, event } => {
                format!("event {event} is for stream \"{stream}\", which the command only checks")
            }
            Self::TooManyAttempts { command, attempts } => format!(
                "command \"{command}\" found streams that others had locked, {attempts} times"
            ),
            Self::VersionConflict(conflicts) | Self::SnapshotTooOld(conflicts) => conflicts
                .iter()
                .map(|conflict| {
                    format!(
                        "stream \"{}\" is at version {}, expected {}",
                        conflict.stream, conflict.actual, conflict.expected
                    )
                })
                .collect::<Vec<_>>()
                .join("; "),
            Self::UndeclaredStream { stream, event } => {
                format!("event {event} is for stream \"{stream}\", which was not declared")
            }
            Self::Malformed(malformed) => malformed.message(),
            Self::IdempotencyMismatch { event_ids } => format!(
                "event id {} was used before, in an append with other content",
                event_ids
                    .iter()
                    .map(Uuid::to_string)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::StreamClosed { stream, state } => format!("stream \"{stream}\" is {state}"),
            Self::UnknownSubscription(name) => format!("there is no subscription \"{name}\""),
            Self::LeaseLost {
                subscription,
                lease_id,
                positions,
            } => {
                let lease = format!("lease {lease_id} of subscription \"{subscription}\"");
                let positions: Vec<_> = positions.iter().map(i64::to_string).collect();
                match positions.is_empty() {
                    true => format!("{lease} holds nothing"),
                    false => format!("{lease} does not hold position {}", positions.join(", ")),
                }
            }
            Self::CheckpointMoved {
                projection,
                expected,
                actual,
            } => {
                format!("projection \"{projection}\" is at position {actual}, expected {expected}")
            }
            Self::Diverged { after, agreed, .. } => format!(
                "position {after} belongs to another history of this store; the histories are the same up to {agreed}"
            ),
            Self::Unavailable(unavailable) => unavailable.message(),
        }
    }

    /// The same for programs: a JSON object.
    pub fn detail(&self) -> Value {
        match self {
            Self::UnknownCommand(name) => json!({ "command": name }),
            Self::FunctionMissing { command, function } => {
                json!({ "command": command, "function": function })
            }
            Self::UnknownProjection(name) => json!({ "projection": name }),
            Self::HandlerMissing {
                projection,
                function,
            } => json!({ "projection": projection, "function": function }),
            Self::Rejected(rejected) => json!({
                "command": rejected.command,
                "sqlstate": rejected.sqlstate,
                "message": rejected.message,
                "detail": rejected.detail,
                "hint": rejected.hint,
            }),
            Self::OnlyChecked { stream, event } => json!({ "stream": stream, "event": event }),
            Self::TooManyAttempts { command, attempts } => {
                json!({ "conflicts": [], "command": command, "attempts": attempts })
            }
            Self::VersionConflict(conflicts) | Self::SnapshotTooOld(conflicts) => {
                let conflicts: Vec<Value> = conflicts
                    .iter()
                    .map(|conflict| {
                        json!({
                            "stream": conflict.stream,
                            "expected": conflict.expected.to_sql(),
                            "actual": conflict.actual,
                        })
                    })
                    .collect();
                json!({ "conflicts": conflicts })
            }
            Self::UndeclaredStream { stream, event } => json!({ "stream": stream, "event": event }),
            Self::Malformed(malformed) => malformed.detail(),
            Self::IdempotencyMismatch { event_ids } => json!({
                "event_ids": event_ids.iter().map(Uuid::to_string).collect::<Vec<_>>(),
            }),
            Self::StreamClosed { stream, state } => json!({ "stream": stream, "state": state }),
            Self::UnknownSubscription(name) => json!({ "subscription": name }),
            Self::LeaseLost {
                subscription,
                lease_id,
                positions,
            } => json!({
                "subscription": subscription,
                "lease_id": lease_id.to_string(),
                "positions": positions,
            }),
            Self::CheckpointMoved {
                projection,
                expected,
                actual,
            } => json!({ "projection": projection, "expected": expected, "actual": actual }),
            Self::Diverged {
                after,
                agreed,
                first,
            } => json!({ "after": after, "agreed": agreed, "first": first }),
            Self::Unavailable(unavailable) => json!({ "reason": unavailable.reason() }),
        }
    }

    /// The way out.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownCommand(_) => {
                "Register it with eventcore_register_command; eventcore.commands has those that there are.".into()
            }
            Self::FunctionMissing { .. } => {
                "Create the function again, or register the command anew with replace => true.".into()
            }
            Self::UnknownProjection(_) => "Create it with eventcore_create_projection, or look for its name in \
                 eventcore.stat_projections."
                .into(),
            Self::HandlerMissing { .. } => {
                "Create the function again, or drop the projection and create it anew.".into()
            }
            Self::Rejected(rejected) => rejected.hint.clone().unwrap_or_else(|| {
                "The command's own rule forbids it; nothing was written.".into()
            }),
            Self::OnlyChecked { .. } => {
                "Register the command with the stream among streams, not checked_streams.".into()
            }
            Self::SnapshotTooOld(_) => "The transaction keeps the snapshot of its first statement: roll back and \
                 begin again, or use READ COMMITTED."
                .into(),
            Self::TooManyAttempts { .. } => {
                "Execute it again, or register the command with more max_attempts.".into()
            }
            Self::VersionConflict(_) => {
                "Read the streams again, decide again, and append with the versions just read.".into()
            }
            Self::UndeclaredStream { .. } => {
                "Name every stream that an event is for in the argument streams.".into()
            }
            Self::Malformed(malformed) => malformed.hint(),
            Self::IdempotencyMismatch { .. } => {
                "To repeat an append send exactly what was sent before; for a new event use a new id."
                    .into()
            }
            Self::StreamClosed { .. } => "Append to another stream; eventcore.streams says why.".into(),
            Self::UnknownSubscription(_) => "Create it with eventcore_create_subscription, or look for its \
                 name in eventcore.stat_subscriptions."
                .into(),
            Self::LeaseLost { .. } => "They are acknowledged already, were given back, or have been taken \
                 back since the lease ran out: undo what was done for them in this transaction and poll \
                 again."
                .into(),
            Self::CheckpointMoved { .. } => {
                "Another process runs this projection: go on from where it is.".into()
            }
            Self::Diverged { agreed, .. } => format!(
                "Undo what was made of later events, go back to position {agreed} and read on from there; events that \
                 were dealt with before are recognised by their ids."
            ),
            Self::Unavailable(unavailable) => unavailable.hint().into(),
        }
    }
}
