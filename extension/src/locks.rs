//! Locks on streams, subscriptions, executions, projections and saved states, in the server's lock
//! table. `pg_locks` shows them, the server detects their deadlocks, and the end of the transaction
//! releases them.

use crate::pg::ffi::hash;
pub use crate::pg::lock::LockMode;
use crate::pg::lock::{LockTag, LockTimeout};
use pgrx::pg_sys::Oid;

/// The key by which a stream is locked: a hash of its name. Two streams with the same hash share a
/// lock, which is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StreamKey(u64);

/// What is locked; `pg_locks` shows it as `objsubid`. Advisory locks of applications have 1 or 2
/// there.
#[derive(Clone, Copy)]
#[repr(u16)]
enum Space {
    Stream = 0x5345,
    Subscription = 0x5346,
    Execution = 0x5347,
    Projection = 0x5348,
    State = 0x5349,
}

impl Space {
    fn tag(self, key: u64) -> LockTag {
        LockTag::new(self as u16, key)
    }
}

impl StreamKey {
    pub fn of(stream: &[u8]) -> Self {
        Self(hash(stream, 0))
    }

    fn tag(self) -> LockTag {
        Space::Stream.tag(self.0)
    }
}

/// Waits for the lock of a stream and holds it until the transaction ends.
pub fn lock_stream(key: StreamKey, mode: LockMode) {
    key.tag().acquire(mode);
}

/// Takes the lock of a stream if it is free; returns whether it did.
pub fn try_lock_stream(key: StreamKey, mode: LockMode) -> bool {
    key.tag().try_acquire(mode)
}

/// Releases one lock of this transaction before its end. Nothing was written under it.
pub fn unlock_stream(key: StreamKey, mode: LockMode) {
    key.tag().release(mode);
}

/// Waits until the transactions that write the stream now have ended. All waiters continue at the
/// same time.
pub fn wait_for_writers(key: StreamKey) {
    key.tag().acquire(LockMode::Shared);
    key.tag().release(LockMode::Shared);
}

/// Waits for the lock of a subscription and holds it until the transaction ends.
pub fn lock_subscription(name: &[u8]) {
    subscription(name).acquire(LockMode::Exclusive);
}

/// Releases the lock that one call of [`lock_subscription`] in this transaction took.
pub fn unlock_subscription(name: &[u8]) {
    subscription(name).release(LockMode::Exclusive);
}

fn subscription(name: &[u8]) -> LockTag {
    Space::Subscription.tag(hash(name, 0))
}

/// Waits for the lock of an execution, a command with an idempotency key, and holds it until the
/// transaction ends.
pub fn lock_execution(command: &[u8], key: &[u8]) {
    let tag = Space::Execution.tag(hash(key, hash(command, 0)));
    tag.acquire(LockMode::Exclusive);
}

/// The key by which `pg_locks` shows the lock of a projection.
pub fn projection_key(name: &[u8]) -> u64 {
    hash(name, 0)
}

/// Waits for the lock of a projection, which a worker holds during a batch, and holds it until the
/// transaction ends.
pub fn lock_projection(name: &[u8]) {
    projection(name).acquire(LockMode::Exclusive);
}

/// Takes the lock of a projection if it is free; returns whether it did.
pub fn try_lock_projection(name: &[u8]) -> bool {
    projection(name).try_acquire(LockMode::Exclusive)
}

/// Waits at most this long for the lock of a projection, and raises 55P03 after that.
pub fn lock_projection_within(name: &[u8], milliseconds: i32) {
    let _timeout = LockTimeout::set(milliseconds);
    lock_projection(name);
}

fn projection(name: &[u8]) -> LockTag {
    Space::Projection.tag(projection_key(name))
}

/// Takes the lock under which the state of a stream is saved for a command and a role, if it is
/// free; returns whether it did.
pub fn try_lock_state(command: &[u8], stream: &[u8], role: Oid) -> bool {
    let command = hash(command, role.to_u32().into());
    let tag = Space::State.tag(hash(stream, command));
    tag.try_acquire(LockMode::Exclusive)
}
