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
    let mode = match mode {
        LockMode::Shared => pg_sys::ShareLock,
        LockMode::Exclusive => pg_sys::ExclusiveLock,
    };
    // SAFETY: a complete lock tag; the transaction's resource owner releases the lock.
    unsafe {
        let tag = pg_sys::LOCKTAG {
            locktag_field1: pg_sys::MyDatabaseId.to_u32(),
            locktag_field2: (key.0 >> 32) as u32,
            locktag_field3: key.0 as u32,
            locktag_field4: LOCK_SPACE,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        };
        pg_sys::LockAcquire(&tag, mode as pg_sys::LOCKMODE, false, false);
    }
}
