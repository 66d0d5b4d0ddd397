//! [`CommandError`]: why a command's `handle` failed or rejected the command.

use std::error::Error;
use std::fmt;

use eventcore_rules::ErrorCode;

use crate::values::{InvalidValue, StreamId};

/// Why a command's `handle` failed or rejected the command.
#[derive(Debug)]
pub struct CommandError(Kind);

#[derive(Debug)]
enum Kind {
    Rejected(Box<dyn Error + Send + Sync>),
    Invalid(InvalidValue),
    Undeclared(StreamId),
    Failed(Box<dyn Error + Send + Sync>),
}

impl CommandError {
    /// A business rule forbids the command: a message or an error of yours.
    pub fn rejected(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Kind::Rejected(reason.into()))
    }

    /// The command could not decide because something that it needed failed, such as another
    /// service.
    pub fn failed(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Kind::Failed(reason.into()))
    }

    pub(crate) fn undeclared_stream(stream: StreamId) -> Self {
        Self(Kind::Undeclared(stream))
    }

    /// Whether a business rule forbids the command.
    pub fn is_business_rule(&self) -> bool {
        matches!(self.0, Kind::Rejected(_))
    }

    /// Whether the command asked for something malformed, such as an invalid stream id.
    pub fn is_malformed(&self) -> bool {
        matches!(self.0, Kind::Invalid(_))
    }

    /// Whether the command asked for the handle of a stream that was not discovered.
    pub fn is_undeclared_stream(&self) -> bool {
        matches!(self.0, Kind::Undeclared(_))
    }

    /// Whether something that the command needed failed.
    pub fn is_failure(&self) -> bool {
        matches!(self.0, Kind::Failed(_))
    }

    /// The error code of eventcore, if the error has one.
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.0 {
            Kind::Rejected(_) => Some(ErrorCode::CommandRejected),
            Kind::Invalid(_) => Some(ErrorCode::Malformed),
            Kind::Undeclared(_) => Some(ErrorCode::UndeclaredStream),
            Kind::Failed(_) => None,
        }
    }

    /// The error with which the command was rejected, if it has this type.
    pub fn rejection<E: Error + 'static>(&self) -> Option<&E> {
        match &self.0 {
            Kind::Rejected(reason) => reason.downcast_ref(),
            _ => None,
        }
    }
}

impl From<InvalidValue> for CommandError {
    fn from(error: InvalidValue) -> Self {
        Self(Kind::Invalid(error))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Rejected(reason) | Kind::Failed(reason) => fmt::Display::fmt(reason, f),
            Kind::Invalid(error) => fmt::Display::fmt(error, f),
            Kind::Undeclared(stream) => write!(f, "stream {stream:?} was not discovered"),
        }
    }
}

impl Error for CommandError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Rejected(reason) | Kind::Failed(reason) => reason.source(),
            Kind::Invalid(error) => error.source(),
            Kind::Undeclared(_) => None,
        }
    }
}
