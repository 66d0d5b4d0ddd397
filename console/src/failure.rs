//! [`Failure`]: why a request has no answer, as a page shows it.

use axum::http::StatusCode;
use eventcore_inspect::{Error, ErrorKind};

/// Why a request has no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) sqlstate: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// Whether the connection was lost, so that another one may answer.
    pub(crate) is_lost: bool,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            sqlstate: None,
            detail: None,
            hint: None,
            is_lost: false,
        }
    }

    /// An argument cannot be used.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no such page or thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// All sessions are lent.
    pub(crate) fn busy() -> Self {
        let message = "all sessions of the console are busy";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
            .with_hint("Try again in a moment. Other pages are being made that take long.")
    }

    /// The database does not answer.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// Says what to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        Self {
            status: status(&error),
            message: error.to_string(),
            sqlstate: error.sqlstate().map(str::to_owned),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned).or_else(|| match kind {
                ErrorKind::Cancelled => {
                    Some("The console gives each statement two seconds.".to_owned())
                }
                _ => None,
            }),
            is_lost: kind == ErrorKind::NoConnection,
        }
    }
}

fn status(error: &Error) -> StatusCode {
    match error.kind() {
        ErrorKind::NoConnection | ErrorKind::NoExtension => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Rejected => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::Cancelled => StatusCode::GATEWAY_TIMEOUT,
        // An argument that the server refuses.
        ErrorKind::Failed => match error.sqlstate() {
            Some(code) if code == "SE003" || code.starts_with("22") => StatusCode::BAD_REQUEST,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}
