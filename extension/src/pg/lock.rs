//! Locks on streams, in the server's own lock table: seen in `pg_locks`, watched for deadlocks,
//! released at the end of the transaction.

use super::ffi;
use pgrx::pg_sys;

/// What a stream is locked by: a hash of its name. Two streams with one hash share a lock, which
/// is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StreamKey(u64);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    /// The stream is only checked.
    Shared,
    /// The stream is written.
    Exclusive,
}

/// Tells our locks from advisory locks of the application, which have 1 or 2 here. Shown by
/// `pg_locks` as `objsubid`.
const LOCK_SPACE: u16 = 0x5345;

impl StreamKey {
    pub fn of(stream: &[u8]) -> Self {
        Self(ffi::hash(stream, 0))
    }
}

/// Waits for the lock and keeps it until the transaction ends.
pub fn lock_stream(key: StreamKey, mode: LockMode) {
    acquire(key, mode, false);
}

/// Takes the lock if that takes no waiting; whether it did.
pub fn try_lock_stream(key: StreamKey, mode: LockMode) -> bool {
    acquire(key, mode, true)
}

/// Waits until those have ended who write the stream now. All who wait so go on at the same time.
pub fn wait_for_writers(key: StreamKey) {
    acquire(key, LockMode::Shared, false);
    // SAFETY: the lock was taken above, for this transaction.
    unsafe { pg_sys::LockRelease(&tag(key), LockMode::Shared.number(), false) };
}

fn acquire(key: StreamKey, mode: LockMode, only_at_once: bool) -> bool {
    // SAFETY: a complete lock tag; the transaction's resource owner releases the lock.
    let result = unsafe { pg_sys::LockAcquire(&tag(key), mode.number(), false, only_at_once) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

impl LockMode {
    fn number(self) -> pg_sys::LOCKMODE {
        (match self {
            Self::Shared => pg_sys::ShareLock,
            Self::Exclusive => pg_sys::ExclusiveLock,
        }) as pg_sys::LOCKMODE
    }
}

fn tag(key: StreamKey) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: a variable of the server.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key.0 >> 32) as u32,
        locktag_field3: key.0 as u32,
        locktag_field4: LOCK_SPACE,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
