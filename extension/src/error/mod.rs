//! Every error that this library raises. Each variant is mapped once to SQLSTATE, message, DETAIL
//! and HINT.

mod malformed;
mod unavailable;

pub use malformed::Malformed;
pub use unavailable::{LACKS_TRIGGERS, Unavailable};

use eventcore_rules::{ErrorCode, MAX_STREAMS_PER_APPEND, VersionConflict};
use serde_json::{Value, json};
use uuid::Uuid;

/// Why eventcore did not do what it was asked to do.
#[derive(Debug)]
pub enum Error {
    /// Every stream that is not at the version that the append expects.
    VersionConflict(Vec<VersionConflict<String>>),
    /// Streams have moved since the snapshot of this transaction.
    SnapshotTooOld(Vec<VersionConflict<String>>),
    /// In each attempt, another transaction held the lock of a stream that the command found on the
    /// way.
    TooManyAttempts { command: String, attempts: i32 },
    /// The event with this index, from 0, is for a stream that is not in `streams`.
    UndeclaredStream { stream: String, event: usize },
    /// The event with this index is for a stream that the command only checks.
    OnlyChecked { stream: String, event: usize },
    /// An argument, or a part of it, is malformed.
    Malformed(Malformed),
    /// An earlier append with other content has used these ids.
    IdempotencyMismatch { event_ids: Vec<Uuid> },
    /// The stream accepts no more events.
    StreamClosed { stream: String, state: String },
    /// The function `handle` of a command raised an error.
    Rejected(Rejected),
    /// No subscription has this name.
    UnknownSubscription(String),
    /// No projection has this name.
    UnknownProjection(String),
    /// The handler, or the reset function, of a projection no longer exists.
    HandlerMissing {
        projection: String,
        function: String,
    },
    /// No command has this name.
    UnknownCommand(String),
    /// A function of a command no longer exists, or has other types.
    FunctionMissing { command: String, function: String },
    /// The lease does not hold these positions. If there are none, it holds nothing at all.
    LeaseLost {
        subscription: String,
        lease_id: Uuid,
        positions: Vec<i64>,
    },
    /// The checkpoint of a projection is not where the caller expects it.
    CheckpointMoved {
        projection: String,
        expected: i64,
        actual: i64,
    },
    /// The reader's position, or its last event, belongs to another history of the store.
    Diverged {
        /// The position of the reader.
        after: i64,
        /// Both histories are the same up to here.
        agreed: i64,
        /// The first position of this history or, if it has not begun yet, the first one that is
        /// not reserved.
        first: i64,
    },
    /// The operation is not available here.
    Unavailable(Unavailable),
}

/// The error by which the function `handle` rejected a command.
#[derive(Debug)]
pub struct Rejected {
    pub command: String,
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// An error as the server reports it.
pub struct Report {
    pub code: ErrorCode,
    /// One sentence that names the thing.
    pub message: String,
    /// The same for programs: a JSON object.
    pub detail: Value,
    /// What to do about it.
    pub hint: String,
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
    /// What the server reports.
    pub fn report(&self) -> Report {
        match self {
            Self::VersionConflict(conflicts) => Report {
                code: ErrorCode::VersionConflict,
                message: conflicts_message(conflicts),
                detail: conflicts_detail(conflicts),
                hint: "Read the streams again, decide again, and append with the versions just read.".into(),
            },
            Self::SnapshotTooOld(conflicts) => Report {
                code: ErrorCode::VersionConflict,
                message: conflicts_message(conflicts),
                detail: conflicts_detail(conflicts),
                hint: "The transaction keeps the snapshot of its first statement. Roll back and begin again, or use \
                       READ COMMITTED."
                    .into(),
            },
            Self::TooManyAttempts { command, attempts } => Report {
                code: ErrorCode::VersionConflict,
                message: format!(
                    "command \"{command}\" gave up after {attempts} attempts: each found a stream that another \
                     transaction had locked"
                ),
                detail: json!({ "conflicts": [], "command": command, "attempts": attempts }),
                hint: "Execute it again, or register the command with more max_attempts.".into(),
            },
            Self::UndeclaredStream { stream, event } => Report {
                code: ErrorCode::UndeclaredStream,
                message: format!("event {event} is for stream \"{stream}\", which was not declared"),
                detail: json!({ "stream": stream, "event": event }),
                hint: "Name the stream of every event in the argument streams.".into(),
            },
            Self::OnlyChecked { stream, event } => Report {
                code: ErrorCode::UndeclaredStream,
                message: format!(
                    "event {event} is for stream \"{stream}\", which the command only checks"
                ),
                detail: json!({ "stream": stream, "event": event }),
                hint: "Register the command with the stream among streams, not checked_streams.".into(),
            },
            Self::Malformed(malformed) => Report {
                code: ErrorCode::Malformed,
                message: malformed.message(),
                detail: malformed.detail(),
                hint: match malformed.argument_name() {
                    "streams" => format!(
                        "Name each stream once, at most {MAX_STREAMS_PER_APPEND} of them. A name has 1 to 255 bytes \
                         and no ASCII control characters."
                    ),
                    _ => "See \\df+ eventcore_* for what each argument takes.".into(),
                },
            },
            Self::IdempotencyMismatch { event_ids } => Report {
                code: ErrorCode::IdempotencyMismatch,
                message: format!(
                    "an earlier append with other content has used event id {}",
                    joined(event_ids)
                ),
                detail: json!({
                    "event_ids": event_ids.iter().map(Uuid::to_string).collect::<Vec<_>>(),
                }),
                hint: "To repeat an append, send exactly what was sent before. For a new event, use a new id.".into(),
            },
            Self::StreamClosed { stream, state } => Report {
                code: ErrorCode::StreamClosed,
                message: format!("stream \"{stream}\" is {state}"),
                detail: json!({ "stream": stream, "state": state }),
                hint: "Append to another stream. eventcore.streams shows the reason.".into(),
            },
            Self::Rejected(rejected) => Report {
                code: ErrorCode::CommandRejected,
                message: rejected.message.clone(),
                detail: json!({
                    "command": rejected.command,
                    "sqlstate": rejected.sqlstate,
                    "message": rejected.message,
                    "detail": rejected.detail,
                    "hint": rejected.hint,
                }),
                hint: rejected.hint.clone().unwrap_or_else(|| {
                    "A rule of the command forbids it. Nothing was written.".into()
                }),
            },
            Self::UnknownSubscription(name) => Report {
                code: ErrorCode::UnknownName,
                message: format!("there is no subscription \"{name}\""),
                detail: json!({ "subscription": name }),
                hint: "Create it with eventcore_create_subscription, or look up its name in \
                       eventcore.stat_subscriptions."
                    .into(),
            },
            Self::UnknownProjection(name) => Report {
                code: ErrorCode::UnknownName,
                message: format!("there is no projection \"{name}\""),
                detail: json!({ "projection": name }),
                hint: "Create it with eventcore_create_projection, or look up its name in \
                       eventcore.stat_projections."
                    .into(),
            },
            Self::HandlerMissing {
                projection,
                function,
            } => Report {
                code: ErrorCode::UnknownName,
                message: format!("function {function} of projection \"{projection}\" is missing"),
                detail: json!({ "projection": projection, "function": function }),
                hint: "Create the function again. If it exists but belongs to another role than before, for example after a \
                       schema was renamed, drop the projection and create it again."
                    .into(),
            },
            Self::UnknownCommand(name) => Report {
                code: ErrorCode::UnknownName,
                message: format!("there is no command \"{name}\""),
                detail: json!({ "command": name }),
                hint: "Register it with eventcore_register_command, or look up its name in eventcore.commands.".into(),
            },
            Self::FunctionMissing { command, function } => Report {
                code: ErrorCode::UnknownName,
                message: format!("function {function} of command \"{command}\" is missing"),
                detail: json!({ "command": command, "function": function }),
                hint: "Create the function again. If it exists but belongs to another role than before, for example after a \
                       schema was renamed, register the command again with replace => true."
                    .into(),
            },
            Self::LeaseLost {
                subscription,
                lease_id,
                positions,
            } => Report {
                code: ErrorCode::LeaseLost,
                message: match positions.is_empty() {
                    true => format!("lease {lease_id} of subscription \"{subscription}\" holds nothing"),
                    false => format!(
                        "lease {lease_id} of subscription \"{subscription}\" does not hold position {}",
                        joined(positions)
                    ),
                },
                detail: json!({
                    "subscription": subscription,
                    "lease_id": lease_id.to_string(),
                    "positions": positions,
                }),
                hint: "The events were already acknowledged, given back, or reclaimed after the lease expired. Roll \
                       back this transaction and poll again."
                    .into(),
            },
            Self::CheckpointMoved {
                projection,
                expected,
                actual,
            } => Report {
                code: ErrorCode::LeaseLost,
                message: format!(
                    "projection \"{projection}\" is at position {actual}, expected {expected}"
                ),
                detail: json!({ "projection": projection, "expected": expected, "actual": actual }),
                hint: "Another process runs this projection. Continue from its position.".into(),
            },
            Self::Diverged {
                after,
                agreed,
                first,
            } => Report {
                code: ErrorCode::Diverged,
                message: format!(
                    "position {after} belongs to another history of this store; the histories are the same up to {agreed}"
                ),
                detail: json!({ "after": after, "agreed": agreed, "first": first }),
                hint: format!(
                    "Undo what was done for later events, go back to position {agreed} and read on from there. Events \
                     that were handled before are recognised by their ids."
                ),
            },
            Self::Unavailable(unavailable) => unavailable.report(),
        }
    }
}

fn conflicts_message(conflicts: &[VersionConflict<String>]) -> String {
    let message = |conflict: &VersionConflict<String>| {
        format!(
            "stream \"{}\" is at version {}, expected {}",
            conflict.stream, conflict.actual, conflict.expected
        )
    };
    conflicts.iter().map(message).collect::<Vec<_>>().join("; ")
}

fn conflicts_detail(conflicts: &[VersionConflict<String>]) -> Value {
    let detail = |conflict: &VersionConflict<String>| {
        json!({
            "stream": conflict.stream,
            "expected": conflict.expected.to_sql(),
            "actual": conflict.actual,
        })
    };
    json!({ "conflicts": conflicts.iter().map(detail).collect::<Vec<_>>() })
}

fn joined(values: &[impl ToString]) -> String {
    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
    values.join(", ")
}
