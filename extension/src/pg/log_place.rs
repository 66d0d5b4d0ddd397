//! Where the server is in its log, and which log that is.

use super::flush;
use super::shared_memory::my_database;
use eventcore_rules::history::Origin;
use pgrx::pg_sys;

/// Where this process writes: not on a standby.
pub fn origin() -> Origin {
    // SAFETY: no preconditions, where the log is being written.
    let (system, timeline) = unsafe {
        (
            pg_sys::GetSystemIdentifier(),
            pg_sys::GetWALInsertionTimeLine(),
        )
    };
    Origin {
        system: system.cast_signed(),
        timeline: i64::from(timeline),
        database: my_database(),
    }
}

/// Where the record of this session's last commit ends.
pub fn end_of_last_commit() -> u64 {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::XactLastCommitEnd }
}

/// Where the last record of the log ends: not on a standby.
pub fn end_of_log() -> u64 {
    flush::end_of_log()
}

/// Waits until the log is on disk up to here, which has been written to.
pub fn flush_up_to(end: u64) {
    // SAFETY: the caller has it from above.
    unsafe { pg_sys::XLogFlush(end) };
}

/// Up to where this standby has replayed the log.
pub fn replayed() -> u64 {
    // SAFETY: the timeline is not asked for.
    unsafe { pg_sys::GetXLogReplayRecPtr(std::ptr::null_mut()) }
}
