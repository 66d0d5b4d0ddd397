//! A background worker that belongs to a database.

use super::ffi;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::CString;
use std::time::Duration;

/// What a worker is started as.
pub struct Kind {
    /// What `pg_stat_activity` shows.
    pub name: &'static str,
    /// The symbol that the server calls.
    pub function: &'static str,
    /// How long the server waits before it starts one anew that has died.
    pub restart_after: Duration,
}

/// Starts a worker for a database; `false` when the server has no place for it.
pub fn start(kind: &Kind, database: u32) -> bool {
    BackgroundWorkerBuilder::new(kind.name)
        .set_type(kind.name)
        .set_library("eventcore")
        .set_function(kind.function)
        .set_argument(Some(Datum::from(database)))
        .set_restart_time(Some(kind.restart_after))
        .enable_spi_access()
        .load_dynamic()
        .is_ok()
}

/// The worker that this process is.
pub struct Worker(());

impl Worker {
    /// To be called first in a worker's function, with the database that it was started for.
    pub fn connect(database: u32) -> Self {
        BackgroundWorker::attach_signal_handlers(
            SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM,
        );
        BackgroundWorker::connect_worker_to_spi_by_oid(Some(Oid::from(database)), None);
        // Nobody waits for what this process writes.
        // SAFETY: both are C strings, and the setting takes this value.
        unsafe {
            pg_sys::SetConfigOption(
                c"synchronous_commit".as_ptr(),
                c"off".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
            );
        }
        Self(())
    }

    /// Waits until this process is woken, or for `at_most`; `false` when it has been told to end.
    pub fn wait(&self, at_most: Duration) -> bool {
        BackgroundWorker::wait_latch(Some(at_most))
    }

    /// Does nothing for a while, whoever wakes this process.
    pub fn pause(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: no preconditions.
        unsafe { pg_sys::pg_usleep(micros) };
    }

    /// Runs `work` in a transaction of its own.
    pub fn transaction<R>(&self, work: impl FnOnce() -> R) -> R {
        // SAFETY: no transaction is open. An error ends the process, and the server starts it anew.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            let result = work();
            pg_sys::CommitTransactionCommand();
            result
        }
    }

    /// Ends the process, for good or to be started again.
    pub fn end(self, again: bool) -> ! {
        // SAFETY: no transaction is open.
        unsafe { pg_sys::proc_exit(i32::from(again)) }
    }
}

/// Calls `cleanup` when this process ends, however it does, while shared memory is still there.
pub fn at_exit(cleanup: fn()) {
    // SAFETY: the callback gets back the function.
    unsafe {
        pg_sys::before_shmem_exit(Some(run_at_exit), Datum::from(cleanup as usize));
    }
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn run_at_exit(_code: i32, cleanup: Datum) {
    // SAFETY: what `at_exit` passed.
    let cleanup = unsafe { std::mem::transmute::<usize, fn()>(cleanup.value()) };
    cleanup();
}

/// Sends NOTIFY on a channel when the transaction commits.
pub fn notify(channel: &std::ffi::CStr, payload: i64) {
    if let Ok(payload) = CString::new(payload.to_string()) {
        ffi::notify(channel, &payload);
    }
}
