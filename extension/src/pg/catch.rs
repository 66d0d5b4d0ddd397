//! Catching errors. After a caught error, only the end of the transaction may call the server: see
//! [`unwinding`](super::unwinding).

use super::raise::{attempt, raise};
use crate::error::Error;

/// How many bytes of a message a summary keeps: it goes to a row, to a view and to the log each
/// time that the error occurs.
const LONGEST_MESSAGE: usize = 8 << 10;

/// An error that was caught, raised by the server or by the extension.
#[derive(Debug)]
pub struct ErrorSummary {
    pub sqlstate: String,
    pub message: String,
    /// The queue of notifications is full, which another session keeps so.
    pub is_full_queue: bool,
}

/// Runs a transaction of a background worker, and catches the error that it raises. The caller
/// rolls back.
pub fn catching<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
    // The message of a returned error is complete without its DETAIL.
    let mut returned = None;
    let done = attempt(|| match work() {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            returned = Some(ErrorSummary::from(error));
            Ok(None)
        }
    });
    match done {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(returned.unwrap_or_else(ErrorSummary::unknown)),
        Err(raised) => {
            let detail = raised.detail().map(|detail| format!(" ({detail})"));
            Err(ErrorSummary {
                sqlstate: raised.sqlstate(),
                message: shortened(format!(
                    "{}{}",
                    raised.message(),
                    detail.unwrap_or_default()
                )),
                is_full_queue: raised.is_full_queue(),
            })
        }
    }
}

fn shortened(message: String) -> String {
    shortened_to(LONGEST_MESSAGE, message)
}

/// The message up to this many bytes, with a mark where it was cut.
pub fn shortened_to(longest: usize, mut message: String) -> String {
    if message.len() > longest {
        message.truncate(message.floor_char_boundary(longest));
        message.push('…');
    }
    message
}

/// The fields of an error that was raised.
pub struct ErrorFields {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Runs `work`. If it raises an error, raises the result of `translate` instead, or the same error
/// if that is `None`.
///
/// The error is raised here and not returned, because no destructor may run between the error and
/// the end of the transaction.
pub fn translating<R>(
    work: impl FnOnce() -> R,
    translate: impl FnOnce(ErrorFields) -> Option<Error>,
) -> R {
    let raised = match attempt(|| Ok(work())) {
        Ok(done) => return done,
        Err(raised) => raised,
    };
    let translated = translate(ErrorFields {
        sqlstate: raised.sqlstate(),
        message: raised.message(),
        detail: raised.detail(),
        hint: raised.hint(),
    });
    match translated {
        Some(error) => raise(&error),
        None => raised.go_on(),
    }
}

impl ErrorSummary {
    fn unknown() -> Self {
        Self {
            sqlstate: "XX000".to_owned(),
            message: String::new(),
            is_full_queue: false,
        }
    }
}

impl From<Error> for ErrorSummary {
    fn from(error: Error) -> Self {
        let report = error.report();
        Self {
            sqlstate: report.code.sqlstate().to_owned(),
            message: shortened(report.message),
            is_full_queue: false,
        }
    }
}
