//! When the log of a transaction is flushed: before its locks are released, as the server does, or
//! after that (early lock release: DeWitt et al., Implementation Techniques for Main Memory
//! Database Systems, 1984).
//!
//! Either way the flush is complete before the client is told of the commit. A transaction that
//! gets the locks in between commits later in the log, so no commit becomes durable without those
//! that it builds on.

use super::wal;
use pgrx::pg_sys::{self, XLogRecPtr};
use std::cell::Cell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

thread_local! {
    /// If set, this transaction releases its locks first, and is counted here until it has flushed.
    static EARLY: Cell<Option<&'static AtomicI64>> = const { Cell::new(None) };
    /// The counter in which this transaction is counted.
    static COUNTED: Cell<Option<&'static AtomicI64>> = const { Cell::new(None) };
    /// The value of `synchronous_commit`, while the server commits as if it were off.
    static LEVEL: Cell<Option<c_int>> = const { Cell::new(None) };
    /// The position in the log up to which this transaction flushes when it commits; 0 for none.
    static WANTED: Cell<XLogRecPtr> = const { Cell::new(0) };
    /// The same for a transaction that has committed; 0 once it has flushed.
    static DUE: Cell<XLogRecPtr> = const { Cell::new(0) };
}

/// Makes this transaction release its locks before it flushes. It is counted in `unflushed` from
/// before other processes see its commit until it has flushed. So a process that sees the commit
/// and finds the count at 0 knows that the commit is on disk.
pub(super) fn after_locks(unflushed: &'static AtomicI64) {
    EARLY.set(Some(unflushed));
}

/// Makes this transaction also flush what other transactions have committed by now, because its
/// result reveals it.
pub(super) fn what_is_committed() {
    WANTED.set(wal::end_of_log());
}

/// To be called before the commit.
pub(super) fn before_commit() {
    let Some(unflushed) = EARLY.take().filter(|_| waits_for_flush()) else {
        return;
    };
    unflushed.fetch_add(1, SeqCst);
    COUNTED.set(Some(unflushed));
    // SAFETY: a variable of the server, which the commit looks at next, on its only thread.
    unsafe {
        LEVEL.set(Some(pg_sys::synchronous_commit));
        pg_sys::synchronous_commit = pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF as c_int;
    }
}

/// To be called after the commit, while the locks are still held. Returns whether [`carry_out`] has
/// something to do.
pub(super) fn after_commit() -> bool {
    let mut up_to = WANTED.take();
    if put_back() {
        // SAFETY: a variable of the server: where the record of this commit ends.
        up_to = up_to.max(unsafe { pg_sys::XactLastCommitEnd });
    }
    DUE.set(up_to);
    if up_to == 0 {
        uncount();
    }
    is_due()
}

/// To be called after a rollback, or if another process will commit.
pub(super) fn forget() {
    EARLY.set(None);
    uncount();
    WANTED.set(0);
    DUE.set(0);
    put_back();
}

/// Whether a transaction has committed and has to flush.
pub(super) fn is_due() -> bool {
    DUE.get() != 0
}

/// Flushes, and waits for the standbys that have to confirm. To be called once the locks are
/// released.
pub(super) fn carry_out() {
    let up_to = DUE.take();
    // SAFETY: a place in the log that has been written to; interrupts are held until the commit is
    // over.
    unsafe {
        if waits_for_flush() {
            pg_sys::XLogFlush(up_to);
            pg_sys::SyncRepWaitForLSN(up_to, true);
        }
    }
    uncount();
}

fn uncount() {
    if let Some(unflushed) = COUNTED.take() {
        unflushed.fetch_sub(1, SeqCst);
    }
}

fn waits_for_flush() -> bool {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::synchronous_commit > pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_OFF as c_int }
}

fn put_back() -> bool {
    let level = LEVEL.take();
    if let Some(level) = level {
        // SAFETY: a variable of the server; what it was before.
        unsafe { pg_sys::synchronous_commit = level };
    }
    level.is_some()
}
