//! Errors with all that they come from, in one line.

use std::error::Error;
use std::fmt;

use crate::{EventError, ExecuteError, FollowError, ProcessError, ProjectionError, StoreError};

/// An error and its sources, the outermost first.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// As `main` shows the error that it returns: what a reader has to know is mostly in the sources.
macro_rules! debug_as_chain {
    ($($error:ty),*) => {
        $(impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&chain(self))
            }
        })*
    };
}

debug_as_chain!(
    EventError,
    ExecuteError,
    FollowError,
    ProcessError,
    ProjectionError,
    StoreError
);
