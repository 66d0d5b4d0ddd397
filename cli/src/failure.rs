//! [`Failure`]: why a command has failed, how it is told, and the exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use eventcore_inspect::connection::ConnectionError;
use eventcore_inspect::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::arguments::Format;
use crate::context::Context;
use crate::output::safe;

/// Why a command has failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The database says so.
    Database(Error),
    /// It is not known where the server is.
    Target(ConnectionError),
    /// The command was called wrongly.
    Usage(String),
    /// Reading or writing failed.
    Io(io::Error),
    /// Ctrl-C.
    Interrupted,
    /// A person was asked and did not say yes.
    Declined,
}

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_CONNECTION: u8 = 3;
const NOT_FOUND: u8 = 4;
const CONFLICT: u8 = 5;
const REJECTED: u8 = 6;
const DENIED: u8 = 7;
const INTERRUPTED: u8 = 130;

/// An error for programs.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Report<'a> {
    exit_code: u8,
    sqlstate: Option<&'a str>,
    message: String,
    /// The server's DETAIL: as it is if it is JSON, else as a text.
    #[schemars(with = "Option<serde_json::Value>")]
    detail: Option<Box<RawValue>>,
    hint: Option<&'a str>,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Database(error) => match error.kind() {
                ErrorKind::NoConnection => NO_CONNECTION,
                ErrorKind::NotFound => NOT_FOUND,
                ErrorKind::Conflict => CONFLICT,
                ErrorKind::Rejected => REJECTED,
                ErrorKind::Denied => DENIED,
                ErrorKind::Malformed => USAGE,
                ErrorKind::NoExtension | ErrorKind::Cancelled | ErrorKind::Failed => FAILED,
            },
            Self::Target(_) | Self::Usage(_) => USAGE,
            Self::Io(_) | Self::Declined => FAILED,
            Self::Interrupted => INTERRUPTED,
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Self::Database(error) => error.to_string(),
            Self::Target(ConnectionError::File(path, error)) => {
                format!("cannot read {}: {error}", path.display())
            }
            Self::Target(error) => error.to_string(),
            Self::Usage(message) => message.clone(),
            Self::Io(error) => error.to_string(),
            Self::Interrupted => "interrupted".to_owned(),
            Self::Declined => "nothing was done".to_owned(),
        }
    }

    fn database(&self) -> Option<&Error> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }

    /// Tells it on stderr. A reader that has closed the pipe is told nothing: it has what it wants.
    pub(crate) fn report(&self, context: &Context) -> ExitCode {
        if let Self::Io(error) = self
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            return ExitCode::SUCCESS;
        }
        let told = match context.output.format {
            Format::Table => self.tell(),
            Format::Json | Format::Jsonl => self.tell_json(),
        };
        // If stderr is closed too, only the exit code is left.
        let _ = writeln!(io::stderr(), "{told}");
        ExitCode::from(self.code())
    }

    fn tell(&self) -> String {
        let mut told = format!("eventcore: {}", safe(&self.message()));
        if let Some(error) = self.database() {
            if let Some(code) = error.sqlstate() {
                told.push_str(&format!(" ({code})"));
            }
            for (name, text) in [("detail", error.detail()), ("hint", error.hint())] {
                if let Some(text) = text {
                    told.push_str(&format!("\n  {name}: {}", safe(text)));
                }
            }
        }
        told
    }

    fn tell_json(&self) -> String {
        let error = self.database();
        let detail = error.and_then(Error::detail).map(|detail| {
            RawValue::from_string(detail.to_owned())
                .or_else(|_| serde_json::value::to_raw_value(detail))
        });
        let report = Report {
            exit_code: self.code(),
            sqlstate: error.and_then(Error::sqlstate),
            message: self.message(),
            detail: detail.and_then(Result::ok),
            hint: error.and_then(Error::hint),
        };
        serde_json::to_string(&report).unwrap_or_else(|error| error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        Self::Target(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}
