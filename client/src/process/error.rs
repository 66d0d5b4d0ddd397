//! [`ProcessError`]: why a process manager does not go on, or one of its triggers is not handled.

use std::error::Error;
use std::fmt;

use crate::execute::ExecuteError;
use crate::store::{EventError, StoreError};
use crate::subscription::FollowError;
use crate::values::error_chain::debug_as_chain;
use crate::values::{EventId, InvalidValue, Position, ProcessId};

/// Kind a process manager does not run, or a trigger could not be handled. Ask it what it is by its
/// predicates.
pub struct ProcessError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    manager: String,
    process: Option<ProcessId>,
    trigger: Option<EventId>,
    kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Name(InvalidValue),
    Store(StoreError),
    Undecodable(FollowError),
    /// The state is not one of the manager's, or cannot be written.
    State(serde_json::Error),
    /// What is in the stream of a process was not written there by its manager, or the trigger cannot be read
    /// again.
    Record(EventError),
    /// The streams of a process say what cannot be.
    Inconsistent(&'static str),
    NotDeterministic {
        recorded: String,
        now: String,
    },
    /// The time of a timeout is more than a clock can say.
    Timeout(String),
    Command {
        name: &'static str,
        source: ExecuteError,
    },
    Runaway,
}

impl ProcessError {
    pub(super) fn new(manager: &str, kind: Kind) -> Self {
        Self(Box::new(Inner {
            manager: manager.to_owned(),
            process: None,
            trigger: None,
            kind,
        }))
    }

    /// Says which process it is about, and which trigger.
    pub(super) fn of(mut self, process: &ProcessId, trigger: EventId) -> Self {
        self.0.process.get_or_insert_with(|| process.clone());
        self.0.trigger.get_or_insert(trigger);
        self
    }

    /// The name of the manager.
    pub fn manager(&self) -> &str {
        &self.0.manager
    }

    /// The process, if it is about one.
    pub fn process(&self) -> Option<&ProcessId> {
        self.0.process.as_ref()
    }

    /// The trigger that was not handled: the id of the event, of that of the timeout, or of that which says
    /// that a command was rejected. It may be an earlier one than that which was delivered: a process
    /// finishes one before it takes the next.
    pub fn trigger(&self) -> Option<EventId> {
        self.0.trigger
    }

    /// The name of the command that failed.
    pub fn command(&self) -> Option<&str> {
        match &self.0.kind {
            Kind::Command { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The position of the event that cannot be decoded.
    pub fn position(&self) -> Option<Position> {
        match &self.0.kind {
            Kind::Undecodable(error) => error.position(),
            _ => None,
        }
    }

    /// Whether the manager, asked again for the same trigger, asked for other commands or timeouts.
    pub fn is_not_deterministic(&self) -> bool {
        matches!(self.0.kind, Kind::NotDeterministic { .. })
    }

    /// Whether an event is none of the manager's event type.
    pub fn is_undecodable(&self) -> bool {
        matches!(self.0.kind, Kind::Undecodable(_) | Kind::Record(_))
    }

    /// Whether the state of a process cannot be written, or what was written is no state of the manager.
    pub fn is_state(&self) -> bool {
        matches!(self.0.kind, Kind::State(_))
    }

    /// Whether a process answers one rejected command with the next, more than 100 times in a row.
    pub fn is_runaway(&self) -> bool {
        matches!(self.0.kind, Kind::Runaway)
    }

    /// Whether a name, a time or something else that was asked for cannot be used.
    pub fn is_malformed(&self) -> bool {
        match &self.0.kind {
            Kind::Name(_) | Kind::Timeout(_) => true,
            Kind::Store(error) => error.is_malformed(),
            Kind::Command { source, .. } => source.is_malformed(),
            _ => false,
        }
    }

    /// Whether the store failed for now.
    pub fn is_retriable(&self) -> bool {
        match &self.0.kind {
            Kind::Store(error) => error.is_retriable(),
            Kind::Command { source, .. } => source.is_retriable(),
            _ => false,
        }
    }

    /// What the store said, if it was not about a command.
    pub fn store(&self) -> Option<&StoreError> {
        match &self.0.kind {
            Kind::Store(error) => Some(error),
            _ => None,
        }
    }

    /// Kind the command failed.
    pub fn execute(&self) -> Option<&ExecuteError> {
        match &self.0.kind {
            Kind::Command { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            manager,
            process,
            trigger,
            kind,
        } = &*self.0;
        write!(f, "process manager {manager:?}")?;
        if let Some(process) = process {
            write!(f, ", process {process:?}")?;
        }
        if let Some(trigger) = trigger {
            write!(f, ", trigger {trigger}")?;
        }
        match kind {
            Kind::Name(_) => write!(f, ": a name cannot be used"),
            Kind::Store(_) => write!(f, ": the store fails"),
            Kind::Undecodable(error) => write!(f, ": {error}"),
            Kind::State(_) => write!(f, ": the state cannot be used"),
            Kind::Record(_) => write!(f, ": an event cannot be read again"),
            Kind::Inconsistent(what) => write!(f, ": {what}"),
            Kind::NotDeterministic { recorded, now } => write!(
                f,
                ": asked again it reacts in another way: {recorded} is recorded, now it is {now}"
            ),
            Kind::Timeout(name) => write!(f, ": the timeout {name:?} is too long"),
            Kind::Command { name, .. } => write!(f, ": the command {name} failed"),
            Kind::Runaway => write!(
                f,
                ": one rejected command follows the other and there is no end"
            ),
        }
    }
}

debug_as_chain!(ProcessError);

impl Error for ProcessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            Kind::Name(error) => Some(error),
            Kind::Store(error) => Some(error),
            Kind::Undecodable(error) => error.source(),
            Kind::State(error) => Some(error),
            Kind::Record(error) => Some(error),
            Kind::Command { source, .. } => Some(source),
            _ => None,
        }
    }
}
