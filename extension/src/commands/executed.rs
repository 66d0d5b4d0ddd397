//! The result of an execution.

use crate::append::Appended;

/// What an execution has done.
pub struct Executed {
    pub appended: Appended,
    /// The streams that were read, as a `text[]`.
    pub streams: pgrx::pg_sys::Datum,
    pub attempts: i32,
}
