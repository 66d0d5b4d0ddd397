//! Shared memory: arrays of atomics that every process of the server sees, and queues in which
//! processes wait.

use super::unwinding::give_back;
use pgrx::pg_sys;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_long};
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// A type that may live in shared memory. It consists of atomics and [`WaitQueue`]s only, because a
/// pointer would be meaningless in another process.
pub trait Shared: Sync + 'static {
    /// The initial value, when the server starts.
    fn fresh() -> Self;

    /// Called once, at the final address.
    fn placed(&self) {}
}

/// An array in shared memory. Its length is fixed when the server starts.
pub struct SharedArray<T> {
    name: &'static CStr,
    start: AtomicPtr<T>,
    length: AtomicUsize,
}

impl<T: Shared> SharedArray<T> {
    pub const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            start: AtomicPtr::new(std::ptr::null_mut()),
            length: AtomicUsize::new(0),
        }
    }

    /// Requests the memory, from the request hook.
    pub fn request(&self, length: usize) {
        // SAFETY: called from the hook, as documented.
        unsafe { pg_sys::RequestAddinShmemSpace(Self::bytes(length)) };
    }

    /// Creates the array or attaches to it, from the startup hook; returns whether it was created.
    pub fn attach(&self, length: usize) -> bool {
        let mut found = false;
        // SAFETY: called from the hook, under AddinShmemInitLock. The area is large enough for
        // `length` values behind an aligned start.
        unsafe {
            let area = pg_sys::ShmemInitStruct(self.name.as_ptr(), Self::bytes(length), &mut found);
            let start = area.cast::<u8>();
            let start = start.add(start.align_offset(align_of::<T>())).cast::<T>();
            if !found {
                for index in 0..length {
                    start.add(index).write(T::fresh());
                    (*start.add(index)).placed();
                }
            }
            self.start.store(start, Ordering::Release);
            self.length.store(length, Ordering::Release);
        }
        !found
    }

    /// The array; empty if the library was not preloaded.
    pub fn get(&self) -> &'static [T] {
        let start = self.start.load(Ordering::Acquire);
        if start.is_null() {
            return &[];
        }
        // SAFETY: `attach` made this many values there, and they stay until the server stops.
        unsafe { std::slice::from_raw_parts(start, self.length.load(Ordering::Acquire)) }
    }

    fn bytes(length: usize) -> usize {
        length * size_of::<T>() + align_of::<T>()
    }
}

/// Runs `change` while no other process runs one.
pub fn exclusively<R>(change: impl FnOnce() -> R) -> R {
    let _held = LockGuard::acquire();
    change()
}

/// Requests the lock of [`exclusively`], from the request hook.
pub fn request_lock() {
    // SAFETY: called from the hook.
    unsafe { pg_sys::RequestNamedLWLockTranche(TRANCHE.as_ptr(), 1) };
}

const TRANCHE: &CStr = c"eventcore";

struct LockGuard(*mut pg_sys::LWLock);

impl LockGuard {
    fn acquire() -> Self {
        // SAFETY: the tranche was requested when the server started.
        unsafe {
            let lock = &raw mut (*pg_sys::GetNamedLWLockTranche(TRANCHE.as_ptr())).lock;
            pg_sys::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
            Self(lock)
        }
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        // SAFETY: this process holds it.
        give_back(|| unsafe { pg_sys::LWLockRelease(self.0) });
    }
}

/// The end of a list of processes.
#[cfg(any(feature = "pg15", feature = "pg16"))]
const NOBODY: i32 = pg_sys::INVALID_PGPROCNO as i32;
#[cfg(any(feature = "pg17", feature = "pg18"))]
const NOBODY: i32 = pg_sys::INVALID_PROC_NUMBER;

/// Processes that wait for the same thing.
pub struct WaitQueue(UnsafeCell<pg_sys::ConditionVariable>);

// SAFETY: the server's functions lock it.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    pub fn fresh() -> Self {
        Self(UnsafeCell::new(pg_sys::ConditionVariable::default()))
    }

    pub fn placed(&self) {
        // SAFETY: in its place, and nobody else knows it yet.
        unsafe { pg_sys::ConditionVariableInit(self.0.get()) };
    }

    /// Whether any process waits. The answer may be outdated at once, so the caller has to check
    /// again.
    pub fn has_waiters(&self) -> bool {
        // SAFETY: initialised when the server started; read as others write it.
        let first = unsafe { (&raw const (*self.0.get()).wakeup.head).read_volatile() };
        first != NOBODY
    }

    /// Wakes all processes in the queue.
    pub fn wake_all(&self) {
        // SAFETY: initialised when the server started.
        unsafe { pg_sys::ConditionVariableBroadcast(self.0.get()) };
    }

    /// Waits until `ready` returns true. It is called after each wake-up and at least once per
    /// `interval`. Returns `false` if `patience` is over first. Cancelling the statement ends the
    /// wait.
    pub fn wait_until(
        &self,
        patience: Duration,
        interval: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> bool {
        let _registered = QueueMembership::with(self);
        let begun = std::time::Instant::now();
        loop {
            if ready() {
                return true;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return false;
            }
            // At least 1 ms, the resolution of the server's timeout.
            let pause = left.min(interval).as_millis().max(1);
            // SAFETY: initialised when the server started.
            unsafe {
                pg_sys::ConditionVariableTimedSleep(
                    self.0.get(),
                    c_long::try_from(pause).unwrap_or(c_long::MAX),
                    pg_sys::PG_WAIT_EXTENSION,
                );
            }
        }
    }
}

/// Keeps this process in a queue, so that no wake-up is lost between a check and the next wait.
struct QueueMembership;

impl QueueMembership {
    fn with(queue: &WaitQueue) -> Self {
        // SAFETY: initialised when the server started.
        unsafe { pg_sys::ConditionVariablePrepareToSleep(queue.0.get()) };
        Self
    }
}

impl Drop for QueueMembership {
    fn drop(&mut self) {
        give_back(|| {
            // SAFETY: harmless when this process has left the queue already.
            unsafe { pg_sys::ConditionVariableCancelSleep() };
        });
    }
}

/// The most processes that can be connected to databases.
pub fn max_processes() -> usize {
    // SAFETY: settled before the hooks run.
    usize::try_from(unsafe { pg_sys::MaxBackends }).unwrap_or(0)
}

/// The number of this process, below [`max_processes`].
#[cfg(any(feature = "pg15", feature = "pg16"))]
pub fn my_process_number() -> usize {
    // SAFETY: every process that runs SQL has one.
    usize::try_from(unsafe { (*pg_sys::MyProc).pgprocno }).unwrap_or(usize::MAX)
}

/// The number of this process, below [`max_processes`].
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub fn my_process_number() -> usize {
    // SAFETY: every process that runs SQL has one.
    usize::try_from(unsafe { pg_sys::MyProcNumber }).unwrap_or(usize::MAX)
}

/// Wakes the process with this number from the wait for its latch. Cannot fail, because it is
/// called when a transaction has already committed.
fn wake_process(number: usize) {
    if number >= max_processes() {
        return;
    }
    // SAFETY: the array has a place for every process; waking one that is another by now is
    // harmless.
    unsafe { pg_sys::SetLatch(&raw mut (*(*pg_sys::ProcGlobal).allProcs.add(number)).procLatch) };
}

/// The process that does a task, in shared memory: its number plus one, or 0 for none.
pub struct ProcessCell(AtomicU32);

impl ProcessCell {
    pub fn empty() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The number of the process, if there is one.
    pub fn get(&self) -> Option<usize> {
        let number = self.0.load(Ordering::SeqCst).checked_sub(1)?;
        Some(number as usize)
    }

    /// Enters this process, unless another one is there; returns whether it did.
    pub fn claim(&self) -> bool {
        let (none, me) = (0, Self::me());
        self.0
            .compare_exchange(none, me, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Enters this process in place of any other.
    pub fn take(&self) {
        self.0.store(Self::me(), Ordering::SeqCst);
    }

    /// Removes this process, if it is there; returns whether it was.
    pub fn release(&self) -> bool {
        let (me, none) = (Self::me(), 0);
        self.0
            .compare_exchange(me, none, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Wakes the process from the wait for its latch; returns whether there is one. Cannot fail.
    pub fn wake(&self) -> bool {
        let Some(process) = self.get() else {
            return false;
        };
        wake_process(process);
        true
    }

    fn me() -> u32 {
        u32::try_from(my_process_number()).map_or(0, |number| number + 1)
    }
}

/// The pid of the process with this number, if there is one.
pub fn process_id(number: usize) -> Option<i32> {
    if number >= max_processes() {
        return None;
    }
    // SAFETY: the array has a place for every process; a free one has pid 0. Read as others write
    // it.
    let pid =
        unsafe { (&raw const (*(*pg_sys::ProcGlobal).allProcs.add(number)).pid).read_volatile() };
    (pid != 0).then_some(pid)
}

/// The OID of the database that this process is connected to.
pub fn my_database() -> u32 {
    // SAFETY: set when the process connected.
    unsafe { pg_sys::MyDatabaseId }.to_u32()
}
