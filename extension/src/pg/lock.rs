//! Locks on streams, subscriptions, executions, projections and kept states, in the server's own lock table: seen in `pg_locks`, watched for
//! deadlocks, released at the end of the transaction.

use super::ffi;
use pgrx::pg_sys::{self, Oid};

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

/// What is locked. Tells our locks from advisory locks of the application, which have 1 or 2 here.
/// Shown by `pg_locks` as `objsubid`.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Space {
    Stream = 0x5345,
    Subscription = 0x5346,
    Execution = 0x5347,
    Projection = 0x5348,
    State = 0x5349,
}

impl StreamKey {
    pub fn of(stream: &[u8]) -> Self {
        Self(ffi::hash(stream, 0))
    }
}

/// Waits until nobody else executes this command with this key, and keeps others from it until the transaction
/// ends.
pub fn lock_execution(command: &[u8], key: &[u8]) {
    let tag = tag(Space::Execution, ffi::hash(key, ffi::hash(command, 0)));
    acquire(&tag, LockMode::Exclusive, false);
}

/// Waits until nobody else has this subscription, and keeps it until the transaction ends.
pub fn lock_subscription(name: &[u8]) {
    let tag = tag(Space::Subscription, ffi::hash(name, 0));
    acquire(&tag, LockMode::Exclusive, false);
}

/// Takes back one [`lock_subscription`] of this transaction.
pub fn unlock_subscription(name: &[u8]) {
    release(
        &tag(Space::Subscription, ffi::hash(name, 0)),
        LockMode::Exclusive,
    );
}

/// What the lock of a projection has in `pg_locks`.
pub fn projection_key(name: &[u8]) -> u64 {
    ffi::hash(name, 0)
}

/// Waits until no worker has this projection, and keeps it until the transaction ends.
pub fn lock_projection(name: &[u8]) {
    acquire(
        &tag(Space::Projection, projection_key(name)),
        LockMode::Exclusive,
        false,
    );
}

/// The same, if that takes no waiting; whether it did.
pub fn try_lock_projection(name: &[u8]) -> bool {
    let tag = tag(Space::Projection, projection_key(name));
    acquire(&tag, LockMode::Exclusive, true)
}

/// Keeps others from keeping the state of this stream for this command and this role until the transaction ends, if
/// that takes no waiting; whether it did.
pub fn try_lock_state(command: &[u8], stream: &[u8], role: pg_sys::Oid) -> bool {
    let command = ffi::hash(command, role.to_u32().into());
    let tag = tag(Space::State, ffi::hash(stream, command));
    acquire(&tag, LockMode::Exclusive, true)
}

/// The same, waiting for so long at most: 55P03 when the time is over.
pub fn lock_projection_within(name: &[u8], milliseconds: i32) {
    let _limit = Limit::set(milliseconds);
    lock_projection(name);
}

/// Whether this transaction has used a table in any way, reading it included. The server keeps the locks of a
/// statement until the end of its transaction, or of the savepoint that was rolled back to.
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

/// Whether this process has a lock in any mode. The function that says so at once is newer than 15.0 and 16.0.
#[cfg(any(feature = "pg15", feature = "pg16"))]
fn is_held(tag: &pg_sys::LOCKTAG) -> bool {
    let mut modes = pg_sys::AccessShareLock..=pg_sys::AccessExclusiveLock;
    // SAFETY: a complete lock tag.
    modes.any(|mode| unsafe { pg_sys::LockHeldByMe(tag, mode as pg_sys::LOCKMODE) })
}

/// Whether this process has a lock in any mode.
#[cfg(not(any(feature = "pg15", feature = "pg16")))]
fn is_held(tag: &pg_sys::LOCKTAG) -> bool {
    let weakest = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a complete lock tag.
    unsafe { pg_sys::LockHeldByMe(tag, weakest, true) }
}

/// Waits for the lock and keeps it until the transaction ends.
pub fn lock_stream(key: StreamKey, mode: LockMode) {
    acquire(&key.tag(), mode, false);
}

/// Takes the lock if that takes no waiting; whether it did.
pub fn try_lock_stream(key: StreamKey, mode: LockMode) -> bool {
    acquire(&key.tag(), mode, true)
}

/// Gives one lock of this transaction back before its end, under which nothing was written.
pub fn unlock_stream(key: StreamKey, mode: LockMode) {
    release(&key.tag(), mode);
}

/// Waits until those have ended who write the stream now. All who wait so go on at the same time.
pub fn wait_for_writers(key: StreamKey) {
    acquire(&key.tag(), LockMode::Shared, false);
    release(&key.tag(), LockMode::Shared);
}

/// How long this process waits for a lock, changed until this is dropped.
struct Limit(i32);

impl Limit {
    fn set(milliseconds: i32) -> Self {
        // SAFETY: a variable of the server, `lock_timeout`, read when a wait begins.
        unsafe {
            let before = Self(pg_sys::LockTimeout);
            pg_sys::LockTimeout = milliseconds;
            before
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pg_sys::LockTimeout = self.0 };
    }
}

fn acquire(tag: &pg_sys::LOCKTAG, mode: LockMode, only_at_once: bool) -> bool {
    // SAFETY: a complete lock tag; the transaction's resource owner releases the lock.
    let result = unsafe { pg_sys::LockAcquire(tag, mode.number(), false, only_at_once) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

fn release(tag: &pg_sys::LOCKTAG, mode: LockMode) {
    // SAFETY: a complete lock tag; the server warns of a lock that this transaction does not have.
    unsafe { pg_sys::LockRelease(tag, mode.number(), false) };
}

impl LockMode {
    fn number(self) -> pg_sys::LOCKMODE {
        (match self {
            Self::Shared => pg_sys::ShareLock,
            Self::Exclusive => pg_sys::ExclusiveLock,
        }) as pg_sys::LOCKMODE
    }
}

impl StreamKey {
    fn tag(self) -> pg_sys::LOCKTAG {
        tag(Space::Stream, self.0)
    }
}

fn tag(space: Space, key: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: a variable of the server.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (key >> 32) as u32,
        locktag_field3: key as u32,
        locktag_field4: space as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
