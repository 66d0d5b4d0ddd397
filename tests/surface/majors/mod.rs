//! What PostgreSQL 16 and later have brought that bears on every function. What bears on one subject only
//! is tested there, for example in `projections/majors.rs` and `check/tables.rs`.

mod control_path;
mod createrole;
mod io_methods;
mod maintain;
mod transaction_timeout;

use crate::support::major;

/// Whether the server of the tests is of this major or a later one.
fn is_at_least(first: u32) -> bool {
    major(eventcore_harness::shared()) >= first
}
