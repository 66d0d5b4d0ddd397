//! [`StoreError`]: why a store did not do what it was asked.

mod constructors;

use std::error::Error;
use std::fmt;

use eventcore_rules::{ErrorCode, VersionConflict};

use super::rejection::Rejection;
use crate::values::error_chain::debug_as_chain;
use crate::values::{EventId, Position, StreamId};

type Source = Box<dyn Error + Send + Sync>;

/// Why a store did not do what it was asked. Use the `is_*` methods to classify it.
///
/// `{:?}` prints the whole chain of sources on one line, because `main` reports errors with
/// `Debug`.
pub struct StoreError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    in_doubt: bool,
    source: Option<Source>,
}

#[derive(Debug)]
enum Kind {
    VersionConflict(Vec<VersionConflict<StreamId>>),
    UndeclaredStream {
        stream: StreamId,
    },
    Malformed {
        argument: String,
        index: Option<usize>,
    },
    IdempotencyMismatch {
        event_ids: Vec<EventId>,
    },
    StreamClosed {
        stream: StreamId,
    },
    Rejected(Rejection),
    UnknownName {
        name: String,
    },
    LeaseLost {
        positions: Vec<Position>,
    },
    Diverged {
        after: Position,
        agreed: Position,
    },
    /// Another error code of eventcore.
    Coded(ErrorCode),
    /// The user of the connection lacks a privilege.
    Denied,
    /// Trying again may help.
    Transient,
    /// The commit succeeded, but a synchronous standby may not have it.
    Unconfirmed,
    TimedOut {
        passes: bool,
    },
    Other,
}

impl StoreError {
    /// The error code of eventcore, if the error has one.
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.0.kind {
            Kind::VersionConflict(_) => Some(ErrorCode::VersionConflict),
            Kind::UndeclaredStream { .. } => Some(ErrorCode::UndeclaredStream),
            Kind::Malformed { .. } => Some(ErrorCode::Malformed),
            Kind::IdempotencyMismatch { .. } => Some(ErrorCode::IdempotencyMismatch),
            Kind::StreamClosed { .. } => Some(ErrorCode::StreamClosed),
            Kind::Rejected(_) => Some(ErrorCode::CommandRejected),
            Kind::UnknownName { .. } => Some(ErrorCode::UnknownName),
            Kind::LeaseLost { .. } => Some(ErrorCode::LeaseLost),
            Kind::Diverged { .. } => Some(ErrorCode::Diverged),
            Kind::Coded(code) => Some(*code),
            Kind::Denied
            | Kind::Transient
            | Kind::Unconfirmed
            | Kind::TimedOut { .. }
            | Kind::Other => None,
        }
    }

    /// Whether declared streams were not at their expected versions; see
    /// [`conflicts`](Self::conflicts).
    pub fn is_version_conflict(&self) -> bool {
        self.code() == Some(ErrorCode::VersionConflict)
    }

    /// Whether trying again may help. After a version conflict, read the streams again and decide
    /// again. After any other retriable error send the same request again; the event ids make that
    /// safe.
    pub fn is_retriable(&self) -> bool {
        self.is_version_conflict()
            || matches!(
                self.0.kind,
                Kind::Transient | Kind::Unconfirmed | Kind::TimedOut { passes: true }
            )
    }

    /// Whether the store may have done what it was asked despite the error, for example because the
    /// connection was lost before the answer arrived. Sending the same request again is safe: the
    /// store recognises an append by its event ids, a command in the database by its idempotency
    /// key, an acknowledgement by its lease, and a batch of a projection by its checkpoint.
    pub fn is_in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    /// Whether the store did what it was asked, but an operator or a timeout cancelled the wait for
    /// a synchronous standby to confirm the commit. Sending the same request again, with the same
    /// ids, waits again.
    pub fn is_unconfirmed(&self) -> bool {
        matches!(self.0.kind, Kind::Unconfirmed)
    }

    /// Whether the operation took too long and was not done: the server ended the statement,
    /// because of its `statement_timeout` or because an operator cancelled it, or no connection was
    /// free in time. Only in the last case may trying again help; see
    /// [`is_retriable`](Self::is_retriable).
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, Kind::TimedOut { .. })
    }

    /// Whether the reader comes from another history of the store: after a failover or a restore,
    /// events that it has read are no longer in the store, or other events have their positions. Go
    /// back to [`agreed_position`](Self::agreed_position) and process the events after it again.
    /// Recognise events by their ids.
    pub fn is_diverged(&self) -> bool {
        self.code() == Some(ErrorCode::Diverged)
    }

    /// The position up to which the reader's history and the store's history are the same. Only set
    /// if [`is_diverged`](Self::is_diverged).
    pub fn agreed_position(&self) -> Option<Position> {
        self.diverged_positions().map(|(_, agreed)| agreed)
    }

    /// The position after which the reader wanted to read, and the position up to which both histories are the same.
    pub(crate) fn diverged_positions(&self) -> Option<(Position, Position)> {
        match &self.0.kind {
            Kind::Diverged { after, agreed } => Some((*after, *agreed)),
            _ => None,
        }
    }

    /// Whether an event went to a stream that was not declared.
    pub fn is_undeclared_stream(&self) -> bool {
        self.code() == Some(ErrorCode::UndeclaredStream)
    }

    /// Whether an argument or an event was malformed.
    pub fn is_malformed(&self) -> bool {
        self.code() == Some(ErrorCode::Malformed)
    }

    /// The malformed argument, under its name in the SQL function.
    pub fn argument(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Malformed { argument, .. } => Some(argument),
            _ => None,
        }
    }

    /// Whether event ids were used before, with other content.
    pub fn is_idempotency_mismatch(&self) -> bool {
        self.code() == Some(ErrorCode::IdempotencyMismatch)
    }

    /// Whether the user of the connection lacks a privilege.
    pub fn is_denied(&self) -> bool {
        matches!(self.0.kind, Kind::Denied)
    }

    /// Whether a stream is closed or deleted.
    pub fn is_stream_closed(&self) -> bool {
        self.code() == Some(ErrorCode::StreamClosed)
    }

    /// The error with which a command in the database rejected its input.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.0.kind {
            Kind::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Whether there is no subscription, projection or command with the name, or a command's
    /// function is missing.
    pub fn is_unknown_name(&self) -> bool {
        self.code() == Some(ErrorCode::UnknownName)
    }

    /// Whether a lease does not hold the events, or no longer holds them: they are done, or another
    /// consumer has them. For a checkpoint: another runner of the projection has moved it.
    pub fn is_lease_lost(&self) -> bool {
        self.code() == Some(ErrorCode::LeaseLost)
    }

    /// The positions of the events that the lease does not hold. Empty unless a lease is lost.
    pub fn lost_positions(&self) -> &[Position] {
        match &self.0.kind {
            Kind::LeaseLost { positions } => positions,
            _ => &[],
        }
    }

    /// All streams that were not at their expected versions, in the order in which they were
    /// declared. Empty unless this is a version conflict.
    pub fn conflicts(&self) -> &[VersionConflict<StreamId>] {
        match &self.0.kind {
            Kind::VersionConflict(conflicts) => conflicts,
            _ => &[],
        }
    }

    /// The event ids that were used before, with other content.
    pub fn mismatched_event_ids(&self) -> &[EventId] {
        match &self.0.kind {
            Kind::IdempotencyMismatch { event_ids } => event_ids,
            _ => &[],
        }
    }

    /// The stream that was not declared or is closed.
    pub fn stream(&self) -> Option<&StreamId> {
        match &self.0.kind {
            Kind::UndeclaredStream { stream } | Kind::StreamClosed { stream } => Some(stream),
            _ => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.kind {
            Kind::VersionConflict(conflicts) => {
                write!(f, "version conflict")?;
                for (n, conflict) in conflicts.iter().enumerate() {
                    let VersionConflict {
                        stream,
                        expected,
                        actual,
                    } = conflict;
                    let before = if n == 0 { ":" } else { "," };
                    write!(
                        f,
                        "{before} stream {stream:?} expected at {expected}, is at {actual}"
                    )?;
                }
                Ok(())
            }
            Kind::UndeclaredStream { stream } => {
                write!(
                    f,
                    "an event goes to stream {stream:?}, which the append does not declare"
                )
            }
            Kind::Malformed {
                argument,
                index: Some(index),
            } => {
                write!(f, "element {index} of {argument} is malformed")
            }
            Kind::Malformed {
                argument,
                index: None,
            } => write!(f, "{argument} is malformed"),
            Kind::IdempotencyMismatch { event_ids } => {
                write!(
                    f,
                    "these event ids were used before with other content: {event_ids:?}"
                )
            }
            Kind::StreamClosed { stream } => write!(f, "stream {stream:?} is closed"),
            Kind::Rejected(rejection) => write!(f, "the command was rejected: {rejection}"),
            Kind::UnknownName { name } => write!(
                f,
                "there is no subscription, command, projection or function named {name:?}"
            ),
            Kind::LeaseLost { positions } if positions.is_empty() => {
                write!(f, "the lease is lost")
            }
            Kind::LeaseLost { positions } => {
                write!(
                    f,
                    "the lease does not hold the events at positions {positions:?}"
                )
            }
            Kind::Diverged { after, agreed } => write!(
                f,
                "position {after} of the reader belongs to another history; both histories agree up to position {agreed}"
            ),
            Kind::Coded(code) => write!(f, "the store refused the request ({})", code.sqlstate()),
            Kind::Denied => write!(f, "the user of the connection lacks a privilege"),
            Kind::Transient => write!(f, "the store failed temporarily"),
            Kind::Unconfirmed => write!(
                f,
                "committed, but the wait for a synchronous standby to confirm the commit was cancelled"
            ),
            Kind::TimedOut { .. } => write!(f, "the operation timed out"),
            Kind::Other => write!(f, "the store failed"),
        }
    }
}

debug_as_chain!(StoreError);

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
