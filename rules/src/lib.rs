//! The rules of eventcore as plain functions over plain values: valid names, expected versions,
//! error codes, histories, releases, filters of events and the pauses of the notifier.
//!
//! The PostgreSQL extension and the in-memory store both use them, so that neither can drift. This
//! crate knows nothing of PostgreSQL, async or serde, and has no dependencies.

pub mod announcing;
pub mod error_code;
pub mod expected_version;
pub mod history;
pub mod matching;
pub mod name;
pub mod release;

pub use error_code::ErrorCode;
pub use expected_version::{ExpectedVersion, VersionConflict};
pub use name::{InvalidName, MAX_NAME_BYTES, check_name};

/// The most streams that one append may declare. Each is a lock in PostgreSQL's shared lock table,
/// whose default size is `max_locks_per_transaction` (64) for every connection.
pub const MAX_STREAMS_PER_APPEND: usize = 1_000;

/// The most events that one append may write, because they are held in memory together.
pub const MAX_EVENTS_PER_APPEND: usize = 1_000_000;

/// The most prefixes, and the most event types, that a filter may list.
pub const MAX_FILTER_ELEMENTS: usize = 1_000;

/// How many of a stream's last events are searched for the ids of an append that expects no exact
/// version of any stream that it writes. So at most this many events may be written between the
/// append and its repeat.
pub const UNCHECKED_REPEAT_WINDOW: u64 = 100;

/// The most non-matching events that a read with a checkpoint skips, which takes about 50 ms.
pub const MAX_EVENTS_PASSED_OVER: usize = 100_000;
