//! Starting background workers, and the main loop of one.

use super::catch::ErrorSummary;
use super::process::{self, NO_LIMIT_OF_TRANSACTIONS, exit, override_settings};
use super::{ffi, signals};
use crate::error::Error;
use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{CStr, CString, c_int, c_long};
use std::time::Duration;

/// A kind of background worker.
pub struct Kind {
    /// The name in `pg_stat_activity`.
    pub name: &'static str,
    /// The symbol that the server calls.
    pub function: &'static str,
}

impl Kind {
    fn builder(&self) -> BackgroundWorkerBuilder {
        BackgroundWorkerBuilder::new(self.name)
            .set_type(self.name)
            .set_library("eventcore")
            .set_function(self.function)
            .set_start_time(BgWorkerStartTime::RecoveryFinished)
            .enable_spi_access()
    }
}

/// Whether workers may run in this server. Not while `pg_upgrade` runs it, because it has already
/// recorded the transaction ids, and not in single-user mode.
pub fn may_work() -> bool {
    // SAFETY: variables of the server, settled before libraries are loaded.
    unsafe { !pg_sys::IsBinaryUpgrade && pg_sys::IsPostmasterEnvironment }
}

/// Makes the server start a worker when it has started, and again this long after it has died.
pub fn register(kind: &Kind, after: Duration) {
    kind.builder().set_restart_time(Some(after)).load();
}

/// Starts a worker for a database, once; `None` if the server has no free one. This process is
/// woken when the worker starts and when it ends.
pub fn start(kind: &Kind, database: u32) -> Option<WorkerHandle> {
    start_with(kind, database, "")
}

/// Does the same for a worker that gets an argument.
pub fn start_with(kind: &Kind, database: u32, extra_argument: &str) -> Option<WorkerHandle> {
    // SAFETY: a variable of the server.
    let me = unsafe { pg_sys::MyProcPid };
    let worker = kind
        .builder()
        .set_argument(Some(Datum::from(database)))
        .set_extra(extra_argument)
        .set_restart_time(None)
        .set_notify_pid(me);
    worker.load_dynamic().ok().map(WorkerHandle)
}

/// Starts a worker on a hot standby, once, as soon as reads are possible there; `None` if the
/// server has no free one.
pub fn start_on_standby(kind: &Kind) -> Option<WorkerHandle> {
    let worker = kind
        .builder()
        .set_start_time(BgWorkerStartTime::ConsistentState)
        .set_restart_time(None);
    worker.load_dynamic().ok().map(WorkerHandle)
}

/// The argument that this worker was started with.
pub fn extra_argument() -> &'static str {
    BackgroundWorker::get_extra()
}

/// A worker that was started by this process.
pub struct WorkerHandle(DynamicBackgroundWorker);

impl WorkerHandle {
    /// Whether it has not ended yet.
    pub fn is_alive(&self) -> bool {
        matches!(
            self.0.pid(),
            Ok(_) | Err(BackgroundWorkerStatus::NotYetStarted)
        )
    }

    /// Makes the server end it, whatever it is doing.
    pub fn terminate(self) {
        self.0.terminate();
    }
}

/// The worker that this process is.
pub struct Worker(());

impl Worker {
    /// To be called first in the main function of a worker, with the database that it was started
    /// for.
    pub fn connect(database: u32) -> Self {
        Self::connect_to(Some(Oid::from(database)))
    }

    /// To be called first in the main function of a worker that belongs to no database. It can read
    /// the shared catalogs.
    pub fn connect_to_no_database() -> Self {
        Self::connect_to(None)
    }

    fn connect_to(database: Option<Oid>) -> Self {
        signals::handle();
        BackgroundWorker::connect_worker_to_spi_by_oid(database, None);
        // Regardless of the settings of the database. Nobody waits for what this process writes. In
        // a frozen database it writes nothing. It checks that itself, because these settings are as
        // old as the process.
        if database.is_some() {
            override_settings(&[(c"default_transaction_read_only", c"off")]);
        }
        override_settings(&[
            (c"synchronous_commit", c"off"),
            (c"default_transaction_isolation", c"read committed"),
            (c"statement_timeout", c"0"),
            // Whatever others lock: the process does not hang, and its error tells what it waited
            // for.
            (c"lock_timeout", c"1s"),
        ]);
        override_settings(NO_LIMIT_OF_TRANSACTIONS);
        process::reload_settings();
        Self(())
    }

    /// Waits until this process is woken, or for `at_most`; returns `false` if it was told to end.
    pub fn wait(&self, at_most: Duration) -> bool {
        let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
        // SAFETY: the latch of this process; no transaction is open.
        unsafe {
            if !signals::is_told_to_end() {
                pg_sys::WaitLatch(
                    pg_sys::MyLatch,
                    events as c_int,
                    c_long::try_from(at_most.as_millis()).unwrap_or(c_long::MAX),
                    pg_sys::PG_WAIT_EXTENSION,
                );
                pg_sys::ResetLatch(pg_sys::MyLatch);
            }
            if signals::is_told_to_end() {
                return false;
            }
            // A request to cancel must not hit the next statement.
            pg_sys::QueryCancelPending = 0;
            // Other processes may wait until all processes have processed a barrier.
            pgrx::check_for_interrupts!();
        }
        process::reload_settings();
        true
    }

    /// Does nothing for a while, even if this process is woken.
    pub fn pause(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: no preconditions.
        unsafe { pg_sys::pg_usleep(micros) };
    }

    /// Runs `work` in a transaction of its own and commits it, or rolls it back after an error.
    pub fn attempt<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
        process::attempt(work)
    }

    /// Ends the process for good.
    pub fn end(&self) -> ! {
        process::end()
    }

    /// Ends the process. The server starts it again if it was registered.
    pub fn end_for_now(&self) -> ! {
        exit(1)
    }
}

/// The most background workers that the server may have.
pub fn max_workers() -> usize {
    // SAFETY: settled before the hooks run.
    usize::try_from(unsafe { pg_sys::max_worker_processes }).unwrap_or(0)
}

/// Lets the server remove the notifications that all listeners have read. It removes them by itself
/// only after it has queued another one, so a queue that was once full stays full.
pub fn remove_read_notifications() {
    // SAFETY: a built-in function without arguments, which removes them before it looks how full the
    // queue is.
    unsafe {
        pgrx::direct_function_call::<f64>(pg_sys::pg_notification_queue_usage, &[]);
    }
}

/// Sends NOTIFY on a channel when the transaction commits.
pub fn notify(channel: &CStr, payload: i64) {
    if let Ok(payload) = CString::new(payload.to_string()) {
        ffi::notify(channel, &payload);
    }
}
