//! [`Rejection`]: the error that a command in the database rejected its input with.

use std::fmt;

use serde::Deserialize;

/// The error that `handle` of a command in the database raised: a business rule forbids it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Rejection {
    /// The name of the command.
    pub command: String,
    /// The SQLSTATE: the handler's own where it gave one, `P0001` after a plain `RAISE EXCEPTION`.
    pub sqlstate: String,
    /// What it said.
    pub message: String,
    /// Its DETAIL.
    pub detail: Option<String>,
    /// Its HINT.
    pub hint: Option<String>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}
