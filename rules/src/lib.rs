//! The rules of eventcore, as plain functions over plain values: what a valid name is, what an
//! expected version demands, and which error codes exist.
//!
//! The PostgreSQL extension and the in-memory store both obey these, so that neither can drift.
//! This crate knows nothing of PostgreSQL, of async, or of serde, and depends on nothing.

pub mod error_code;
pub mod expected_version;
pub mod history;
pub mod name;

pub use error_code::ErrorCode;
pub use expected_version::{ExpectedVersion, VersionConflict};
pub use name::{InvalidName, MAX_NAME_BYTES, check_name};

/// The most streams that one append may declare. Each is a lock in PostgreSQL's shared lock table,
/// whose default size is `max_locks_per_transaction` (64) for every connection.
pub const MAX_STREAMS_PER_APPEND: usize = 1_000;

/// The most events that one append may write: they are held in memory together.
pub const MAX_EVENTS_PER_APPEND: usize = 1_000_000;

/// The most prefixes, and the most event types, that a filter may list.
pub const MAX_FILTER_ELEMENTS: usize = 1_000;

/// How many of the last events of a stream are looked through for the ids of an append that does not
/// expect an exact version of any stream that it writes: so many later events may not come between
/// it and its repeat.
pub const UNCHECKED_REPEAT_WINDOW: u64 = 100;

/// The most events that a read with a checkpoint passes over because its filter does not let them
/// through: it takes some 50 ms.
pub const MAX_EVENTS_PASSED_OVER: usize = 100_000;
