//! Background workers.

use super::catch::ErrorSummary;
use super::process::{self, exit, override_settings};
use super::{ffi, signals};
use crate::error::Error;
use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{CStr, CString, c_int, c_long};
use std::time::Duration;

/// What a worker is started as.
pub struct Kind {
    /// What `pg_stat_activity` shows.
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

/// Whether workers may work in this server: not while `pg_upgrade` runs it, which has noted already how far its
/// transactions are, and not where one user has it to himself.
pub fn may_work() -> bool {
    // SAFETY: variables of the server, settled before libraries are loaded.
    unsafe { !pg_sys::IsBinaryUpgrade && pg_sys::IsPostmasterEnvironment }
}

/// Has the server start a worker when it has started itself, and again `after` it has died.
pub fn register(kind: &Kind, after: Duration) {
    kind.builder().set_restart_time(Some(after)).load();
}

/// Starts a worker for a database, once; `None` when the server has no place for it. This process
/// is woken when the worker has started and when it has ended.
pub fn start(kind: &Kind, database: u32) -> Option<WorkerHandle> {
    start_with(kind, database, "")
}

/// The same for a worker that is extra_argument something.
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

/// Starts a worker on a hot standby, once, as soon as reads are possible there; `None` when the server has no place for
/// it.
pub fn start_on_standby(kind: &Kind) -> Option<WorkerHandle> {
    let worker = kind
        .builder()
        .set_start_time(BgWorkerStartTime::ConsistentState)
        .set_restart_time(None);
    worker.load_dynamic().ok().map(WorkerHandle)
}

/// What this worker was extra_argument by whoever started it.
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

    /// Has the server end it, in the middle of whatever it does.
    pub fn terminate(self) {
        self.0.terminate();
    }
}

/// The worker that this process is.
pub struct Worker(());

impl Worker {
    /// To be called first in a worker's function, with the database that it was started for.
    pub fn connect(database: u32) -> Self {
        Self::connect_to(Some(Oid::from(database)))
    }

    /// To be called first in the function of a worker that belongs to no database: it can read the
    /// catalogs that all databases share.
    pub fn connect_to_no_database() -> Self {
        Self::connect_to(None)
    }

    fn connect_to(database: Option<Oid>) -> Self {
        signals::handle();
        BackgroundWorker::connect_worker_to_spi_by_oid(database, None);
        // Whatever the settings of the database are. Nobody waits for what this process writes. In a database that is
        // frozen it writes nothing: it looks for itself, for these settings are as old as the process.
        if database.is_some() {
            override_settings(&[(c"default_transaction_read_only", c"off")]);
        }
        override_settings(&[
            (c"synchronous_commit", c"off"),
            (c"default_transaction_isolation", c"read committed"),
            (c"statement_timeout", c"0"),
            // Whatever others lock: it does not stand still, and shows what it waited for.
            (c"lock_timeout", c"1s"),
        ]);
        Self(())
    }

    /// Waits until this process is woken, or for `at_most`; `false` when it has been extra_argument to end.
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
            // No statement of this process is to be cancelled now.
            pg_sys::QueryCancelPending = 0;
            // Others may wait for all processes to have heard of something.
            pgrx::check_for_interrupts!();
        }
        process::reload_settings();
        true
    }

    /// Does nothing for a while, whoever wakes this process.
    pub fn pause(&self, time: Duration) {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        // SAFETY: no preconditions.
        unsafe { pg_sys::pg_usleep(micros) };
    }

    /// Runs `work` in a transaction of its own and commits it; rolls it back on an error.
    pub fn attempt<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
        process::attempt(work)
    }

    /// Ends the process for good.
    pub fn end(&self) -> ! {
        process::end()
    }

    /// Ends the process; the server starts it again, if it was registered to be.
    pub fn end_for_now(&self) -> ! {
        exit(1)
    }
}

/// How many background workers the server may have.
pub fn max_workers() -> usize {
    // SAFETY: settled before the hooks run.
    usize::try_from(unsafe { pg_sys::max_worker_processes }).unwrap_or(0)
}

/// Sends NOTIFY on a channel when the transaction commits.
pub fn notify(channel: &CStr, payload: i64) {
    if let Ok(payload) = CString::new(payload.to_string()) {
        ffi::notify(channel, &payload);
    }
}
