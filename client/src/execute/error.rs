//! [`ExecuteError`]: why a command was not executed.

use std::error::Error;
use std::fmt;

use eventcore_rules::{ErrorCode, VersionConflict};

use crate::command::CommandError;
use crate::store::{EventError, StoreError};
use crate::values::error_chain::debug_as_chain;
use crate::values::{CausationId, CorrelationId, StreamId, StreamVersion};

/// Why a command was not executed. Use the `is_*` methods to classify it.
///
/// For a rejection, `Display` includes the reason that `handle` gave, and the sources start with
/// what caused that reason. So nothing appears twice in the chain.
pub struct ExecuteError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    failure: Failure,
    correlation_id: CorrelationId,
    causation_id: CausationId,
    attempts: u32,
    may_have_written: bool,
}

/// Why an execution failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Store(StoreError),
    Command(CommandError),
    /// An event of the command cannot be encoded.
    Event(EventError),
    /// A stored event that the command read cannot be decoded.
    Stored {
        stream_id: StreamId,
        version: StreamVersion,
        source: EventError,
    },
    /// Discovery did not end.
    Runaway {
        streams: usize,
        discoveries: usize,
        last: Option<StreamId>,
    },
    /// The deadline passed. The last attempt before may have failed with an error.
    Deadline(Option<StoreError>),
}

impl ExecuteError {
    pub(crate) fn new(
        failure: Failure,
        correlation_id: CorrelationId,
        causation_id: CausationId,
        attempts: u32,
        may_have_written: bool,
    ) -> Self {
        Self(Box::new(Inner {
            failure,
            correlation_id,
            causation_id,
            attempts,
            may_have_written,
        }))
    }

    /// Whether a business rule forbids the command. Nothing was written.
    pub fn is_business_rule(&self) -> bool {
        self.command().is_some_and(CommandError::is_business_rule)
    }

    /// Whether a declared stream had changed at each attempt. Nothing was written.
    pub fn is_version_conflict(&self) -> bool {
        self.store().is_some_and(StoreError::is_version_conflict)
    }

    /// Whether the events may have been written despite the error: an append was sent and no answer
    /// arrived. Search for the correlation id to find out.
    pub fn may_have_written(&self) -> bool {
        self.0.may_have_written
    }

    /// Whether executing the command again may help.
    pub fn is_retriable(&self) -> bool {
        self.store().is_some_and(StoreError::is_retriable)
    }

    /// Whether the command emitted an event to a stream that this execution did not declare.
    pub fn is_undeclared_stream(&self) -> bool {
        self.store().is_some_and(StoreError::is_undeclared_stream)
            || self
                .command()
                .is_some_and(CommandError::is_undeclared_stream)
    }

    /// Whether the command's resolver kept finding further streams: more than 1,000 in all, or more
    /// than 100 times in a row. Nothing was written.
    pub fn is_runaway_discovery(&self) -> bool {
        matches!(self.0.failure, Failure::Runaway { .. })
    }

    /// Whether the deadline passed. The source is the error of the last attempt, if one failed
    /// before; see also [`may_have_written`](Self::may_have_written).
    pub fn is_deadline(&self) -> bool {
        matches!(self.0.failure, Failure::Deadline(_))
    }

    /// Whether the command sent something malformed, or something that no store can hold. Nothing
    /// was written.
    pub fn is_malformed(&self) -> bool {
        self.store().is_some_and(StoreError::is_malformed)
            || self.command().is_some_and(CommandError::is_malformed)
    }

    /// Whether event ids were used before, with other content.
    pub fn is_idempotency_mismatch(&self) -> bool {
        self.store()
            .is_some_and(StoreError::is_idempotency_mismatch)
    }

    /// Whether the database has no command with this name, or a function of the command is missing.
    /// Nothing was written.
    pub fn is_unknown_name(&self) -> bool {
        self.store().is_some_and(StoreError::is_unknown_name)
    }

    /// Whether an event could not be encoded or decoded. Nothing was written.
    pub fn is_event(&self) -> bool {
        self.event().is_some()
    }

    /// The stream and the version of the stored event that could not be decoded.
    pub fn undecodable(&self) -> Option<(&StreamId, StreamVersion)> {
        match &self.0.failure {
            Failure::Stored {
                stream_id, version, ..
            } => Some((stream_id, *version)),
            _ => None,
        }
    }

    /// The error code of eventcore, if the error has one.
    pub fn code(&self) -> Option<ErrorCode> {
        if let Some(command) = self.command() {
            return command.code();
        }
        self.store().and_then(StoreError::code)
    }

    /// The streams that had changed at the last attempt. Empty unless this is a version conflict.
    pub fn conflicts(&self) -> &[VersionConflict<StreamId>] {
        self.store().map_or(&[], StoreError::conflicts)
    }

    /// The error with which `handle` rejected the command, if it has this type. For a command in
    /// the database it is a [`Rejection`](crate::Rejection).
    pub fn rejection<E: Error + 'static>(&self) -> Option<&E> {
        self.command().and_then(CommandError::rejection)
    }

    /// The error that the command's `handle` returned.
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

    /// The error of an event that could not be encoded or decoded.
    pub fn event(&self) -> Option<&EventError> {
        match &self.0.failure {
            Failure::Event(error) | Failure::Stored { source: error, .. } => Some(error),
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

    /// How many attempts were made.
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
                    "the command's discovery of streams does not end: it found {streams} streams in \
                     {discoveries} rounds"
                )?;
                last.iter()
                    .try_for_each(|last| write!(f, ", the last was {last:?}"))
            }
            Failure::Deadline(_) => write!(f, "the deadline passed {times}"),
            Failure::Event(_) => write!(f, "an event of the command cannot be encoded"),
            Failure::Stored {
                stream_id, version, ..
            } => write!(
                f,
                "the event at version {version} of stream {stream_id:?}, which the command reads, cannot \
                 be decoded"
            ),
            Failure::Store(_) => write!(f, "the command failed {times}"),
        }
    }
}

debug_as_chain!(ExecuteError);

impl Error for ExecuteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.failure {
            Failure::Store(error) => Some(error),
            Failure::Command(error) => error.source(),
            Failure::Event(error) | Failure::Stored { source: error, .. } => Some(error),
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
