//! Where the server is in its log, and which log that is.

use super::shared_memory::my_database;
use eventcore_rules::history::Origin;
use pgrx::pg_sys;

/// The bytes at the head of a page of the log; more at the head of a file.
const PAGE_HEADER: u64 = 24;
const FILE_HEADER: u64 = 40;

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

/// Where the last record of the log ends. The server tells where the next one begins, which is behind the head of
/// a page where the last one fills the page before.
pub fn end_of_log() -> u64 {
    // SAFETY: the log is being written, for an append could be made here.
    let (next, file_size) = unsafe {
        (
            pg_sys::GetXLogInsertRecPtr(),
            u64::from(pg_sys::wal_segment_size.unsigned_abs()),
        )
    };
    let page_size = u64::from(pg_sys::XLOG_BLCKSZ);
    let header = if next % file_size < page_size {
        FILE_HEADER
    } else {
        PAGE_HEADER
    };
    if next % page_size == header {
        next - header
    } else {
        next
    }
}

/// Waits until everything logged so far is on disk.
pub fn flush() {
    flush_up_to(end_of_log());
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
