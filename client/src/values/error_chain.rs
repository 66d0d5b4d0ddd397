//! Errors together with everything that caused them, in one line.

use std::error::Error;

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

/// `Debug` for an error type: the whole chain of sources. `main` reports errors with `Debug`, and
/// the sources usually hold what the reader needs to know.
macro_rules! debug_as_chain {
    ($error:ty) => {
        impl std::fmt::Debug for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::values::error_chain::chain(self))
            }
        }
    };
}

pub(crate) use debug_as_chain;
