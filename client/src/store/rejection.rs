//! [`Rejection`]: the error with which a command in the database rejected its input.

use std::fmt;

use serde::Deserialize;

/// The error that `handle` of a command in the database raised because a business rule forbids the
/// command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The name of the command.
    pub command: String,
    /// The SQLSTATE that the handler gave; `P0001` after a plain `RAISE EXCEPTION`.
    pub sqlstate: String,
    /// The message.
    pub message: String,
    /// The DETAIL.
    pub detail: Option<String>,
    /// The HINT.
    pub hint: Option<String>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}
