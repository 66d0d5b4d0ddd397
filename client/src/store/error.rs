//! [`StoreError`]: why a store did not do what it was asked.

use std::error::Error;
use std::fmt;

use eventcore_rules::{ErrorCode, VersionConflict};

use super::rejection::Rejection;
use crate::values::error_chain::debug_as_chain;
use crate::values::{EventId, Position, StreamId};

type Source = Box<dyn Error + Send + Sync>;

/// Why a store did not do what it was asked. Ask it what it is by its predicates.
///
/// By `{:?}` it is shown in one line with all that it comes from, as `main` shows the error that it returns.
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
    /// One of our other codes.
    Coded(ErrorCode),
    /// The user of the connection has no right to it.
    Denied,
    /// It may well work when tried again.
    Transient,
    /// It was done, but a standby that it should be on may not have it.
    Unconfirmed,
    TimedOut {
        passes: bool,
    },
    Other,
}

impl StoreError {
    /// Declared streams are not where they were expected (SE001).
    pub fn version_conflict(conflicts: Vec<VersionConflict<StreamId>>) -> Self {
        Self::make(Kind::VersionConflict(conflicts), None)
    }

    /// An event goes to a stream that the append did not declare (SE002).
    pub fn undeclared_stream(stream: StreamId) -> Self {
        Self::make(Kind::UndeclaredStream { stream }, None)
    }

    /// An argument, or the element of it with this index, is malformed (SE003).
    pub fn malformed(
        argument: impl Into<String>,
        index: Option<usize>,
        reason: impl Into<Source>,
    ) -> Self {
        Self::make(
            Kind::Malformed {
                argument: argument.into(),
                index,
            },
            Some(reason.into()),
        )
    }

    /// These event ids were used before, with other content (SE004).
    pub fn idempotency_mismatch(event_ids: Vec<EventId>) -> Self {
        Self::make(Kind::IdempotencyMismatch { event_ids }, None)
    }

    /// A stream is closed or deleted (SE005).
    pub fn stream_closed(stream: StreamId) -> Self {
        Self::make(Kind::StreamClosed { stream }, None)
    }

    /// A command in the database rejected its input (SE006).
    pub fn rejected(rejection: Rejection) -> Self {
        Self::make(Kind::Rejected(rejection), None)
    }

    /// There is no subscription, projection or command of this name, or no function of a command (SE007).
    pub fn unknown_name(name: impl Into<String>) -> Self {
        Self::make(Kind::UnknownName { name: name.into() }, None)
    }

    /// A lease does not hold the events at these positions, or not any more; or another runner of a
    /// projection was here first (SE008).
    pub fn lease_lost(positions: Vec<Position>) -> Self {
        Self::make(Kind::LeaseLost { positions }, None)
    }

    /// The reader comes from another history of the store (SE011): it goes on after a position that this store has
    /// never told. Up to `agreed` both are the same.
    pub fn diverged(after: Position, agreed: Position) -> Self {
        Self::make(Kind::Diverged { after, agreed }, None)
    }

    /// The store answers with one of the other codes of eventcore.
    pub fn coded(code: ErrorCode, source: impl Into<Source>) -> Self {
        Self::make(Kind::Coded(code), Some(source.into()))
    }

    /// The user of the connection has no right to do this.
    pub fn denied(source: impl Into<Source>) -> Self {
        Self::make(Kind::Denied, Some(source.into()))
    }

    /// A failure that may pass, such as a lost connection. Whether the store did what it was asked
    /// is unknown.
    pub fn transient(source: impl Into<Source>) -> Self {
        Self::make(Kind::Transient, Some(source.into()))
    }

    /// The store did what it was asked, but a standby that should have it did not confirm that: the wait for it was
    /// cancelled. It may be lost with the server.
    pub fn unconfirmed() -> Self {
        Self::make(Kind::Unconfirmed, None)
    }

    /// There was no time left to do it, and it was not done.
    pub fn timed_out(passes: bool, source: impl Into<Source>) -> Self {
        Self::make(Kind::TimedOut { passes }, Some(source.into()))
    }

    /// Any other failure; trying again does not help.
    pub fn other(source: impl Into<Source>) -> Self {
        Self::make(Kind::Other, Some(source.into()))
    }

    /// Tells that the store did not do what it was asked.
    #[must_use]
    pub fn not_done(mut self) -> Self {
        self.0.in_doubt = false;
        self
    }

    /// Keeps what the error comes from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The code of eventcore that the error has, if it has one.
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

    /// Whether declared streams were not where they were expected; see
    /// [`conflicts`](Self::conflicts).
    pub fn is_version_conflict(&self) -> bool {
        self.code() == Some(ErrorCode::VersionConflict)
    }

    /// Whether trying again may help: after a version conflict with what the streams hold now; after
    /// any other such error the same again, which is safe because of the event ids.
    pub fn is_retriable(&self) -> bool {
        self.is_version_conflict()
            || matches!(
                self.0.kind,
                Kind::Transient | Kind::Unconfirmed | Kind::TimedOut { passes: true }
            )
    }

    /// Whether the store may have done what it was asked all the same, as when the connection was lost before the
    /// answer came. The same again is safe: an append is known by its event ids, a command in the database by its
    /// idempotency key, an acknowledgement by its lease, a batch of a projection by its checkpoint.
    pub fn is_in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    /// Whether the store did what it was asked, and a standby that should have it did not confirm that: an operator
    /// or a timeout cancelled the wait for it. The same again, with the same ids, waits again.
    pub fn is_unconfirmed(&self) -> bool {
        matches!(self.0.kind, Kind::Unconfirmed)
    }

    /// Whether it was not done because it would have taken too long: the server ended the statement, by
    /// its `statement_timeout` or because an operator said so, or there was no connection in time. Only
    /// the latter is worth trying again as it is, so [`is_retriable`](Self::is_retriable).
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, Kind::TimedOut { .. })
    }

    /// Whether the reader comes from another history of the store: after a fail-over or a restore, events that it has
    /// read are not in the store any more, or others are in their place. Go back to
    /// [`agreed_position`](Self::agreed_position) and deal again with what comes after it. Events are known by their ids.
    pub fn is_diverged(&self) -> bool {
        self.code() == Some(ErrorCode::Diverged)
    }

    /// Up to where the history that a reader comes from and that of the store are the same. Only after
    /// [`is_diverged`](Self::is_diverged).
    pub fn agreed_position(&self) -> Option<Position> {
        self.diverged_positions().map(|(_, agreed)| agreed)
    }

    /// Where the reader of another history was, and up to where both are the same.
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

    /// The argument that is malformed, as the SQL function names it.
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

    /// Whether the user of the connection has no right to do this.
    pub fn is_denied(&self) -> bool {
        matches!(self.0.kind, Kind::Denied)
    }

    /// Whether a stream is closed or deleted.
    pub fn is_stream_closed(&self) -> bool {
        self.code() == Some(ErrorCode::StreamClosed)
    }

    /// What a command in the database rejected its input with.
    pub fn rejection(&self) -> Option<&Rejection> {
        match &self.0.kind {
            Kind::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// Whether there is no subscription, projection or command of the name, or no function of a command.
    pub fn is_unknown_name(&self) -> bool {
        self.code() == Some(ErrorCode::UnknownName)
    }

    /// Whether a lease does not hold the events, or not any more: they are done, or somebody else has
    /// them. For a checkpoint: another runner of the projection was here.
    pub fn is_lease_lost(&self) -> bool {
        self.code() == Some(ErrorCode::LeaseLost)
    }

    /// The events that the lease does not hold (any more). Empty unless a lease is lost.
    pub fn lost_positions(&self) -> &[Position] {
        match &self.0.kind {
            Kind::LeaseLost { positions } => positions,
            _ => &[],
        }
    }

    /// The streams that were not where they were expected: every one of them, in the order in which
    /// they were declared. Empty unless this is a version conflict.
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

    /// The stream that was not declared, or is closed.
    pub fn stream(&self) -> Option<&StreamId> {
        match &self.0.kind {
            Kind::UndeclaredStream { stream } | Kind::StreamClosed { stream } => Some(stream),
            _ => None,
        }
    }

    fn make(kind: Kind, source: Option<Source>) -> Self {
        let in_doubt = matches!(kind, Kind::Transient | Kind::Unconfirmed | Kind::Other);
        Self(Box::new(Inner {
            kind,
            in_doubt,
            source,
        }))
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
                    "an event goes to stream {stream:?}, which is not declared"
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
                write!(f, "used before with other content: event ids {event_ids:?}")
            }
            Kind::StreamClosed { stream } => write!(f, "stream {stream:?} is closed"),
            Kind::Rejected(rejection) => write!(f, "the command was rejected: {rejection}"),
            Kind::UnknownName { name } => write!(f, "nothing has the name {name:?}"),
            Kind::LeaseLost { positions } if positions.is_empty() => {
                write!(f, "the lease is lost")
            }
            Kind::LeaseLost { positions } => {
                write!(f, "the lease does not hold the events at {positions:?}")
            }
            Kind::Diverged { after, agreed } => write!(
                f,
                "the reader is at position {after} of another history; both are the same up to {agreed}"
            ),
            Kind::Coded(code) => write!(f, "the store refuses ({})", code.sqlstate()),
            Kind::Denied => write!(f, "the user of the connection may not do this"),
            Kind::Transient => write!(f, "the store failed for now"),
            Kind::Unconfirmed => write!(
                f,
                "committed, but not confirmed by a synchronous standby: the wait for it was cancelled"
            ),
            Kind::TimedOut { .. } => write!(f, "there was no time left"),
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
