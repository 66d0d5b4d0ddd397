//! [`ExecuteError`]: why a command was not executed.

use std::error::Error;
use std::fmt;

use eventcore_rules::{ErrorCode, VersionConflict};

use crate::{CausationId, CommandError, CorrelationId, EventError, StoreError, StreamId};

/// Why a command was not executed. Ask it what it is by its predicates.
///
/// Shown, it tells why `handle` rejected the command; its sources then go on with what the rejection
/// comes from, so that nothing is told twice.
#[derive(Debug)]
pub struct ExecuteError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    failure: Failure,
    correlation_id: CorrelationId,
    causation_id: CausationId,
    attempts: u32,
}

/// Why an execution ended without success.
#[derive(Debug)]
pub(super) enum Failure {
    Store(StoreError),
    Command(CommandError),
    Event(EventError),
    /// Discovery found ever more streams.
    Runaway {
        streams: usize,
        discoveries: usize,
        last: Option<StreamId>,
    },
    /// The deadline passed, perhaps after an attempt that failed.
    Deadline(Option<StoreError>),
}

impl ExecuteError {
    pub(super) fn new(
        failure: Failure,
        correlation_id: CorrelationId,
        causation_id: CausationId,
        attempts: u32,
    ) -> Self {
        Self(Box::new(Inner {
            failure,
            correlation_id,
            causation_id,
            attempts,
        }))
    }

    /// Whether a business rule forbids the command. Nothing was written.
    pub fn is_business_rule(&self) -> bool {
        self.command().is_some_and(CommandError::is_business_rule)
    }

    /// Whether a declared stream had moved at each attempt. Nothing was written.
    pub fn is_version_conflict(&self) -> bool {
        self.store().is_some_and(StoreError::is_version_conflict)
    }

    /// Whether executing the command again may help. Unless this is a version conflict, it is unknown
    /// whether the events were written.
    pub fn is_retriable(&self) -> bool {
        self.store().is_some_and(StoreError::is_retriable)
    }

    /// Whether an event was to go to a stream that this execution did not declare.
    pub fn is_undeclared_stream(&self) -> bool {
        self.store().is_some_and(StoreError::is_undeclared_stream)
            || self
                .command()
                .is_some_and(CommandError::is_undeclared_stream)
    }

    /// Whether the command's resolver found ever more streams: more than 1,000, or more than 100 times in
    /// a row. Nothing was written.
    pub fn is_runaway_discovery(&self) -> bool {
        matches!(self.0.failure, Failure::Runaway { .. })
    }

    /// Whether the deadline passed. If an append was on its way, it is unknown whether the events were
    /// written; the source is why the attempt before failed, if there was one.
    pub fn is_deadline(&self) -> bool {
        matches!(self.0.failure, Failure::Deadline(_))
    }

    /// Whether the command, or an event of it, was malformed. Nothing was written.
    pub fn is_malformed(&self) -> bool {
        self.store().is_some_and(StoreError::is_malformed)
            || self.command().is_some_and(CommandError::is_malformed)
    }

    /// Whether event ids were used before, with other content.
    pub fn is_idempotency_mismatch(&self) -> bool {
        self.store()
            .is_some_and(StoreError::is_idempotency_mismatch)
    }

    /// Whether an event could not be encoded or decoded. Nothing was written.
    pub fn is_event(&self) -> bool {
        matches!(self.0.failure, Failure::Event(_))
    }

    /// The code of eventcore that the error has, if it has one.
    pub fn code(&self) -> Option<ErrorCode> {
        if self.is_business_rule() {
            return Some(ErrorCode::CommandRejected);
        }
        self.store().and_then(StoreError::code)
    }

    /// The streams that had moved at the last attempt. Empty unless this is a version conflict.
    pub fn conflicts(&self) -> &[VersionConflict<StreamId>] {
        self.store().map_or(&[], StoreError::conflicts)
    }

    /// The error that `handle` rejected the command with, if it is one of this type.
    pub fn rejection<E: Error + 'static>(&self) -> Option<&E> {
        self.command().and_then(CommandError::rejection)
    }

    /// The error of the command's `handle`.
    pub fn command(&self) -> Option<&CommandError> {
        match &self.0.failure {
            Failure::Command(error) => Some(error),
            _ => None,
        }
    }

    /// The error of the store.
    pub fn store(&self) -> Option<&StoreError> {
        match &self.0.failure {
            Failure::Store(error) => Some(error),
            _ => None,
        }
    }

    /// The error of encoding or decoding an event.
    pub fn event(&self) -> Option<&EventError> {
        match &self.0.failure {
            Failure::Event(error) => Some(error),
            _ => None,
        }
    }

    /// The correlation id of the execution.
    pub fn correlation_id(&self) -> CorrelationId {
        self.0.correlation_id
    }

    /// The causation id of the execution.
    pub fn causation_id(&self) -> CausationId {
        self.0.causation_id
    }

    /// How often it was tried.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }
}

impl fmt::Display for ExecuteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = match self.0.attempts {
            1 => "at the first attempt".to_owned(),
            attempts => format!("after {attempts} attempts"),
        };
        match &self.0.failure {
            Failure::Command(error) if error.is_business_rule() => {
                write!(f, "the command was rejected: {error}")
            }
            Failure::Command(error) => write!(f, "the command could not decide: {error}"),
            Failure::Runaway {
                streams,
                discoveries,
                last,
            } => {
                write!(
                    f,
                    "the command's discovery of streams does not end: {streams} streams after \
                     {discoveries} times"
                )?;
                last.iter()
                    .try_for_each(|last| write!(f, ", the last is {last:?}"))
            }
            Failure::Deadline(_) => write!(f, "the deadline passed {times}"),
            Failure::Event(_) => write!(f, "an event of the command cannot be used"),
            Failure::Store(_) => write!(f, "the command failed {times}"),
        }
    }
}

impl Error for ExecuteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.failure {
            Failure::Store(error) => Some(error),
            Failure::Command(error) => error.source(),
            Failure::Event(error) => Some(error),
            Failure::Runaway { .. } => None,
            Failure::Deadline(last) => last.as_ref().map(|error| error as _),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<EventError> for Failure {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}
