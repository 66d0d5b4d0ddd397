//! The background worker that this process is: its transactions, its settings, and its end.

use super::catch::{ErrorSummary, catching};
use super::ffi;
use super::raise::entry_without_error;
use crate::error::Error;
use pgrx::pg_sys::{self, Datum};
use std::ffi::CStr;

/// Runs `work` in a transaction of its own and commits it, or rolls it back after an error.
pub(super) fn attempt<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
    // SAFETY: no transaction is open. A request to cancel that came before it is not for it.
    let done = unsafe {
        pg_sys::QueryCancelPending = 0;
        pg_sys::SetCurrentStatementStartTimestamp();
        catching(|| {
            pg_sys::StartTransactionCommand();
            let result = work()?;
            pg_sys::CommitTransactionCommand();
            Ok(result)
        })
    };
    if done.is_err() {
        roll_back();
    }
    // SAFETY: no transaction is open.
    unsafe { pg_sys::pgstat_report_stat(false) };
    done
}

/// Reads the configuration again if that is due.
pub(super) fn reload_settings() {
    // SAFETY: variables of the server, outside of any transaction.
    unsafe {
        if pg_sys::ConfigReloadPending != 0 {
            pg_sys::ConfigReloadPending = 0;
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}

/// Does what the server does after an error in a session.
fn roll_back() {
    // SAFETY: nothing of the transaction is in use any more.
    unsafe {
        pg_sys::InterruptHoldoffCount += 1;
        ffi::end_all_timeouts();
        pg_sys::QueryCancelPending = 0;
        pg_sys::CurrentMemoryContext = pg_sys::TopMemoryContext;
        pg_sys::AbortCurrentTransaction();
        pg_sys::FlushErrorState();
        pg_sys::InterruptHoldoffCount -= 1;
    }
}

/// Ends this background worker for good.
pub fn end() -> ! {
    exit(0)
}

// In the bindings of some versions of PostgreSQL, the function does not return.
#[allow(unreachable_code)]
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: no transaction is open.
    unsafe { pg_sys::proc_exit(code) };
    unreachable!("the process has ended")
}

/// What PostgreSQL 17 and later have besides: a limit for whole transactions, which ends the process.
/// A process of ours that met it would be started again, and meet it again with the same events.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(super) const NO_LIMIT_OF_TRANSACTIONS: &[(&CStr, &CStr)] = &[(c"transaction_timeout", c"0")];
#[cfg(not(any(feature = "pg17", feature = "pg18")))]
pub(super) const NO_LIMIT_OF_TRANSACTIONS: &[(&CStr, &CStr)] = &[];

/// Sets settings, regardless of the database and the role.
pub(super) fn override_settings(settings: &[(&CStr, &CStr)]) {
    for (name, value) in settings {
        // SAFETY: both are C strings, and the setting takes this value.
        unsafe {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// The pid of this process.
pub fn my_pid() -> i32 {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::MyProcPid }
}

/// Calls `cleanup` in the postmaster when its processes have ended, before it resets the shared
/// memory or ends itself. To be called from the startup hook.
pub fn at_postmaster_exit(cleanup: fn()) {
    // SAFETY: the callback gets back the function. Processes that the postmaster starts forget it.
    unsafe {
        if !pg_sys::IsUnderPostmaster {
            pg_sys::on_shmem_exit(Some(run_at_exit), Datum::from(cleanup as usize));
        }
    }
}

/// Calls `cleanup` when this process ends for any reason, while shared memory still exists.
pub fn at_exit(cleanup: fn()) {
    // SAFETY: the callback gets back the function.
    unsafe {
        pg_sys::before_shmem_exit(Some(run_at_exit), Datum::from(cleanup as usize));
    }
}

unsafe extern "C-unwind" fn run_at_exit(_code: i32, cleanup: Datum) {
    // SAFETY: what `at_exit` passed.
    let cleanup = unsafe { std::mem::transmute::<usize, fn()>(cleanup.value()) };
    entry_without_error(cleanup);
}
