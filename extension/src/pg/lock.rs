//! Locks of the extension in the server's lock table, and the locks that this process holds on
//! tables.

use pgrx::pg_sys::{self, Oid};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// Several transactions may hold it.
    Shared,
    /// One transaction may hold it, and no other one in any mode.
    Exclusive,
}

/// A lock of this database.
pub struct LockTag(pg_sys::LOCKTAG);

impl LockTag {
    /// The lock with this key in a space. The space is a number other than 1 and 2, which the
    /// server's advisory locks have.
    pub fn new(space: u16, key: u64) -> Self {
        Self(pg_sys::LOCKTAG {
            // SAFETY: a variable of the server.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: (key >> 32) as u32,
            locktag_field3: key as u32,
            locktag_field4: space,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        })
    }

    /// Waits for the lock and holds it until the transaction ends.
    pub fn acquire(&self, mode: LockMode) {
        self.acquire_or_fail(mode, false);
    }

    /// Takes the lock if it is free; returns whether it did.
    pub fn try_acquire(&self, mode: LockMode) -> bool {
        self.acquire_or_fail(mode, true)
    }

    fn acquire_or_fail(&self, mode: LockMode, dont_wait: bool) -> bool {
        // SAFETY: a complete lock tag; the transaction's resource owner releases the lock.
        let result = unsafe { pg_sys::LockAcquire(&self.0, mode.number(), false, dont_wait) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Releases one lock of this transaction before its end.
    pub fn release(&self, mode: LockMode) {
        // SAFETY: a complete lock tag; the server warns of a lock that this transaction does not
        // hold.
        unsafe { pg_sys::LockRelease(&self.0, mode.number(), false) };
    }
}

impl LockMode {
    fn number(self) -> pg_sys::LOCKMODE {
        (match self {
            Self::Shared => pg_sys::ShareLock,
            Self::Exclusive => pg_sys::ExclusiveLock,
        }) as pg_sys::LOCKMODE
    }
}

/// Changes how long this process waits for a lock, until it is dropped.
pub struct LockTimeout(i32);

impl LockTimeout {
    pub fn set(milliseconds: i32) -> Self {
        // SAFETY: a variable of the server, `lock_timeout`, read when a wait begins.
        unsafe {
            let before = Self(pg_sys::LockTimeout);
            pg_sys::LockTimeout = milliseconds;
            before
        }
    }
}

impl Drop for LockTimeout {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pg_sys::LockTimeout = self.0 };
    }
}

/// Whether this transaction has used a table in any way, including reading it. The server keeps the
/// locks of a statement until the end of the transaction, or until a rollback to an earlier
/// savepoint.
pub fn has_used(table: Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: a variable of the server.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: table.to_u32(),
        locktag_field3: 0,
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_RELATION as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    is_held(&tag)
}

/// Whether this process holds a lock in any mode. The server function that tells this directly is
/// newer than 15.0 and 16.0.
#[cfg(any(feature = "pg15", feature = "pg16"))]
fn is_held(tag: &pg_sys::LOCKTAG) -> bool {
    let mut modes = pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock;
    // SAFETY: a complete lock tag.
    modes.any(|mode| unsafe { pg_sys::LockHeldByMe(tag, mode as pg_sys::LOCKMODE) })
}

/// Whether this process holds a lock in any mode.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
fn is_held(tag: &pg_sys::LOCKTAG) -> bool {
    let weakest = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a complete lock tag.
    unsafe { pg_sys::LockHeldByMe(tag, weakest, true) }
}
