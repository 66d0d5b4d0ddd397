//! What a scan sees.

use super::ffi::guarded;
use super::raw;
use super::unwinding::give_back;
use pgrx::pg_sys;
use std::cell::Cell;

/// A snapshot that stays valid until it is dropped.
pub struct Snapshot {
    raw: pg_sys::Snapshot,
    registered: bool,
}

impl Snapshot {
    /// Everything that is committed now, and what this transaction has written, at any isolation
    /// level.
    pub fn latest() -> Self {
        // SAFETY: we are inside a transaction, as every call of a SQL function is.
        let raw = unsafe { guarded(|| raw::RegisterSnapshot(raw::GetLatestSnapshot())) };
        Self {
            raw,
            registered: true,
        }
    }

    /// The same for rows whose writers have all ended, such as those of a locked stream. It needs
    /// no look at all processes of the server.
    pub fn settled() -> Self {
        if is_serializable() {
            // The server tracks only reads with ordinary snapshots.
            return Self::latest();
        }
        Self {
            // A variable of the server that never changes.
            raw: &raw mut pg_sys::SnapshotSelfData,
            registered: false,
        }
    }

    /// What the calling statement sees.
    pub fn of_statement() -> Self {
        // SAFETY: the executor has an active snapshot while it calls a function, and keeps it.
        let raw = unsafe { pg_sys::GetActiveSnapshot() };
        Self {
            raw,
            registered: false,
        }
    }

    /// What a transaction sees that keeps the snapshot of its first statement, including everything
    /// that it has written.
    pub fn of_transaction() -> Self {
        // SAFETY: we are inside a transaction, as every call of a SQL function is.
        let raw = unsafe { pg_sys::RegisterSnapshot(pg_sys::GetTransactionSnapshot()) };
        Self {
            raw,
            registered: true,
        }
    }

    pub(super) fn raw(&self) -> pg_sys::Snapshot {
        self.raw
    }
}

/// Whether the transaction keeps the snapshot of its first statement.
pub fn transaction_keeps_one() -> bool {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

thread_local! {
    /// The isolation level of this transaction, if [`see_newest`] has changed it.
    static LEVEL: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Does the work of [`see_newest`](super::transaction::see_newest), which makes sure that
/// [`restore_level`] is called before the commit.
pub(super) fn see_newest() -> Result<(), &'static str> {
    if !transaction_keeps_one() {
        return Ok(());
    }
    // SAFETY: variables and a function of the server. The snapshot that is kept stays registered
    // until the end of the transaction; the level decides only whether others are made beside it.
    unsafe {
        if pg_sys::IsTransactionBlock() {
            return Err(if is_serializable() {
                "SERIALIZABLE"
            } else {
                "REPEATABLE READ"
            });
        }
        LEVEL.set(Some(pg_sys::XactIsoLevel));
        pg_sys::XactIsoLevel = pg_sys::XACT_READ_COMMITTED as i32;
    }
    Ok(())
}

/// To be called before the commit: the server then checks what a serializable transaction has read
/// and written.
pub(super) fn restore_level() {
    if let Some(level) = LEVEL.take() {
        // SAFETY: a variable of the server, which had this value in this transaction.
        unsafe { pg_sys::XactIsoLevel = level };
    }
}

/// To be called after a rollback. The next transaction gets its own level.
pub(super) fn forget_level() {
    LEVEL.set(None);
}

/// Whether the server may refuse what the transaction writes because of what others have read.
pub fn is_serializable() -> bool {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as i32 }
}

/// A new snapshot for functions that are called until it is dropped.
pub struct ActiveSnapshot(pg_sys::Snapshot);

impl ActiveSnapshot {
    /// `None` if the transaction keeps the snapshot of its first statement. Then functions have to
    /// use that one.
    pub fn push_unless_kept() -> Option<Self> {
        (!transaction_keeps_one()).then(Self::push)
    }

    pub fn push() -> Self {
        // SAFETY: we are inside a transaction; the snapshot is registered by being pushed, and a
        // copy of it is what is active then.
        Self(unsafe {
            guarded(|| {
                raw::PushActiveSnapshot(raw::GetLatestSnapshot());
                raw::GetActiveSnapshot()
            })
        })
    }
}

impl Drop for ActiveSnapshot {
    fn drop(&mut self) {
        // SAFETY: pushed here; only compared with the active one.
        give_back(|| unsafe {
            guarded(|| {
                if raw::ActiveSnapshotSet() && raw::GetActiveSnapshot() == self.0 {
                    raw::PopActiveSnapshot();
                }
            });
        });
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.registered {
            // SAFETY: registered here, once.
            give_back(|| unsafe { pg_sys::UnregisterSnapshot(self.raw) });
        }
    }
}
