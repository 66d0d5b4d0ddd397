//! [`ProcessError`]: why a process manager stopped, or could not handle a trigger.

use std::error::Error;
use std::fmt;

use crate::execute::ExecuteError;
use crate::store::{EventError, StoreError};
use crate::subscription::FollowError;
use crate::values::error_chain::debug_as_chain;
use crate::values::{EventId, InvalidValue, Position, ProcessId};

/// Why a process manager stopped, or could not handle a trigger. Use the `is_*` methods to classify
/// it.
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
    /// The stored state does not fit the manager's state type, or the new state cannot be
    /// serialized.
    State(serde_json::Error),
    /// The stream of a process contains an event that its manager did not write, or the trigger
    /// cannot be read again.
    Record(EventError),
    /// The events in the process's streams contradict each other.
    Inconsistent(&'static str),
    NotDeterministic {
        recorded: String,
        now: String,
    },
    /// The time of a timeout is beyond what a clock can represent.
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

    /// Adds the process and the trigger.
    pub(super) fn of(mut self, process: &ProcessId, trigger: EventId) -> Self {
        self.0.process.get_or_insert_with(|| process.clone());
        self.0.trigger.get_or_insert(trigger);
        self
    }

    /// The name of the manager.
    pub fn manager(&self) -> &str {
        &self.0.manager
    }

    /// The process, if the error concerns one.
    pub fn process(&self) -> Option<&ProcessId> {
        self.0.process.as_ref()
    }

    /// The id of the trigger that was not handled: the id of the event, of the timeout's event, or
    /// of the event that records the rejected command. It may be an earlier trigger than the
    /// delivered one, because a process finishes one trigger before it accepts the next.
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

    /// Whether the manager, when called again for the same trigger, asked for different commands or
    /// timeouts.
    pub fn is_not_deterministic(&self) -> bool {
        matches!(self.0.kind, Kind::NotDeterministic { .. })
    }

    /// Whether an event does not fit the manager's event type.
    pub fn is_undecodable(&self) -> bool {
        matches!(self.0.kind, Kind::Undecodable(_) | Kind::Record(_))
    }

    /// Whether the state of a process cannot be serialized, or the stored state does not fit the
    /// manager's state type.
    pub fn is_state(&self) -> bool {
        matches!(self.0.kind, Kind::State(_))
    }

    /// Whether a process answered more than 100 rejected commands in a row with a next command.
    pub fn is_runaway(&self) -> bool {
        matches!(self.0.kind, Kind::Runaway)
    }

    /// Whether a name, a time or another argument is not valid.
    pub fn is_malformed(&self) -> bool {
        match &self.0.kind {
            Kind::Name(_) | Kind::Timeout(_) => true,
            Kind::Store(error) => error.is_malformed(),
            Kind::Command { source, .. } => source.is_malformed(),
            _ => false,
        }
    }

    /// Whether the store failed temporarily.
    pub fn is_retriable(&self) -> bool {
        match &self.0.kind {
            Kind::Store(error) => error.is_retriable(),
            Kind::Command { source, .. } => source.is_retriable(),
            _ => false,
        }
    }

    /// The error of the store, unless it belongs to a command.
    pub fn store(&self) -> Option<&StoreError> {
        match &self.0.kind {
            Kind::Store(error) => Some(error),
            _ => None,
        }
    }

    /// Why the command failed.
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
            Kind::Name(_) => write!(f, ": a name is not valid"),
            Kind::Store(_) => write!(f, ": the store failed"),
            Kind::Undecodable(error) => write!(f, ": {error}"),
            Kind::State(_) => write!(f, ": the state cannot be read or written"),
            Kind::Record(_) => write!(f, ": an event of the process cannot be read or written"),
            Kind::Inconsistent(what) => write!(f, ": {what}"),
            Kind::NotDeterministic { recorded, now } => write!(
                f,
                ": the manager reacted differently when asked again: {recorded} was recorded, now it is {now}"
            ),
            Kind::Timeout(name) => write!(f, ": the timeout {name:?} is too long"),
            Kind::Command { name, .. } => write!(f, ": the command {name} failed"),
            Kind::Runaway => write!(
                f,
                ": more than 100 rejected commands in a row, each the answer to the one before"
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
