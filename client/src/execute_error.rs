//! [`ExecuteError`]: why a command was not executed.

use std::error::Error;
use std::fmt;

use eventcore_rules::{ErrorCode, VersionConflict};

use crate::execute::Failure;
use crate::{CommandError, CorrelationId, EventError, StoreError, StreamId};

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
    attempts: u32,
}

impl ExecuteError {
    pub(crate) fn new(failure: Failure, correlation_id: CorrelationId, attempts: u32) -> Self {
        Self(Box::new(Inner {
            failure,
            correlation_id,
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

    /// Whether an event went to a stream that this execution did not declare.
    pub fn is_undeclared_stream(&self) -> bool {
        self.store().is_some_and(StoreError::is_undeclared_stream)
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
            Failure::Command(error) => write!(f, "the command was rejected: {error}"),
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
        }
    }
}
