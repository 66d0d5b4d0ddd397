//! [`Error`]: why a question has no answer.

use std::error::Error as _;
use std::fmt;

use eventcore::{ErrorCode, StoreError};

/// Why a question has no answer. It displays the server's message, or ours.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    sqlstate: Option<String>,
    detail: Option<String>,
    hint: Option<String>,
    /// Whether a row has not the column that it should have.
    lacks_column: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What an [`Error`] means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The server cannot be reached, refuses the connection, or ended it.
    NoConnection,
    /// There is no such stream, event, subscription, projection or command.
    NotFound,
    /// A stream is not at the expected version (SE001).
    Conflict,
    /// A command's handler refused (SE006).
    Rejected,
    /// The role lacks a privilege (42501).
    Denied,
    /// An argument is malformed, found here before it was sent.
    Malformed,
    /// The database has no extension `eventcore`.
    NoExtension,
    /// The statement took longer than the session allows, or was cancelled (57014).
    Cancelled,
    /// Anything else.
    Failed,
}

impl Error {
    /// An error of ours.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            sqlstate: None,
            detail: None,
            hint: None,
            lacks_column: false,
            source: None,
        }))
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An argument cannot be used.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Malformed, message)
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What it means.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The server's code, if it is the server's error.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.0.sqlstate.as_deref()
    }

    /// The server's DETAIL. For an error of eventcore (class SE) it is JSON.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// A row of the server has not this column.
    pub(crate) fn of_missing_column(name: &str) -> Self {
        let message = format!("the answer of the server has no column {name:?}");
        let mut made = Self::new(ErrorKind::Failed, message);
        made.0.lacks_column = true;
        made
    }

    /// Whether a function, a table or a column is not there.
    pub(crate) fn is_of_missing_object(&self) -> bool {
        match &self.0.sqlstate {
            Some(code) => matches!(&**code, "42883" | "42P01" | "42703" | "3F000"),
            None => self.0.lacks_column,
        }
    }

    /// The error of a connection that was never ready.
    pub(crate) fn unreachable(error: StoreError) -> Self {
        let kind = match error.is_malformed() {
            true => ErrorKind::Malformed,
            false => ErrorKind::NoConnection,
        };
        let mut made = Self::of_store(error);
        made.0.kind = kind;
        made
    }

    /// The file or the pipe fails that something is written to.
    pub(crate) fn of_writer(error: std::io::Error) -> Self {
        let mut made = Self::new(ErrorKind::Failed, error.to_string());
        made.0.source = Some(Box::new(error));
        made
    }

    fn of_store(error: StoreError) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(found) = cause {
            if let Some(found) = found.downcast_ref::<tokio_postgres::Error>() {
                let mut made = Self::of_server(found);
                made.0.source = Some(Box::new(error));
                return made;
            }
            cause = found.source();
        }
        let mut messages = vec![error.to_string()];
        let mut cause = error.source();
        while let Some(found) = cause {
            messages.push(found.to_string());
            cause = found.source();
        }
        let kind = match error.is_retriable() {
            true => ErrorKind::NoConnection,
            false => ErrorKind::Failed,
        };
        let mut made = Self::new(kind, messages.join(": "));
        made.0.source = Some(Box::new(error));
        made
    }

    /// What the server says, or why the connection is lost.
    fn of_server(error: &tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let lost = error.is_closed() || is_of_network(error);
            let kind = match lost {
                true => ErrorKind::NoConnection,
                false => ErrorKind::Failed,
            };
            let mut message = error.to_string();
            if let Some(cause) = error.source() {
                message = format!("{message}: {cause}");
            }
            return Self::new(kind, message);
        };
        let code = said.code().code();
        let mut made = Self::new(kind_of(code), said.message());
        made.0.sqlstate = Some(code.to_owned());
        made.0.detail = said.detail().map(str::to_owned);
        made.0.hint = said.hint().map(str::to_owned);
        made
    }
}

fn kind_of(sqlstate: &str) -> ErrorKind {
    match ErrorCode::from_sqlstate(sqlstate) {
        Some(ErrorCode::VersionConflict) => return ErrorKind::Conflict,
        Some(ErrorCode::CommandRejected) => return ErrorKind::Rejected,
        Some(ErrorCode::UnknownName) => return ErrorKind::NotFound,
        _ => {}
    }
    match sqlstate {
        "42501" => ErrorKind::Denied,
        "57014" => ErrorKind::Cancelled,
        // The server ends the session, or does not let it in.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "3D000" => ErrorKind::NoConnection,
        code if code.starts_with("08") || code.starts_with("28") => ErrorKind::NoConnection,
        _ => ErrorKind::Failed,
    }
}

fn is_of_network(error: &tokio_postgres::Error) -> bool {
    let source = error.source();
    source.is_some_and(|source| source.is::<std::io::Error>())
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let mut made = Self::of_server(&error);
        made.0.source = Some(Box::new(error));
        made
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::of_store(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
