//! Positions in the server's write-ahead log, and which log it is.

use super::shared_memory::my_database;
use eventcore_rules::history::Origin;
use pgrx::pg_sys;

/// The size of the header of a page of the log, and of the first page of a file.
const PAGE_HEADER: u64 = 24;
const FILE_HEADER: u64 = 40;

/// The server, the timeline and the database that write. Not on a standby.
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

/// The end of this session's last commit record.
pub fn end_of_last_commit() -> u64 {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::XactLastCommitEnd }
}

/// The end of the last record of the log. Not on a standby. The server tells where the next record
/// begins, which is behind the header of a page if the last record fills the page before.
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

/// Waits until the log is on disk up to this position, which has been written already.
pub fn flush_up_to(end: u64) {
    // SAFETY: the caller has it from above.
    unsafe { pg_sys::XLogFlush(end) };
}

/// The position up to which this standby has replayed the log.
pub fn replayed() -> u64 {
    // SAFETY: the timeline is not asked for.
    unsafe { pg_sys::GetXLogReplayRecPtr(std::ptr::null_mut()) }
}
