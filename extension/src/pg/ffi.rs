//! Server functions that pgrx does not bind, with the guard that pgrx puts around its own.

use pgrx::pg_sys::{self, ffi::pg_guard_ffi_boundary};
use std::ffi::{CStr, c_char, c_int};

mod raw {
    use super::{c_char, c_int, pg_sys};

    unsafe extern "C-unwind" {
        pub(super) fn Async_Notify(channel: *const c_char, payload: *const c_char);
        pub(super) fn hash_bytes_extended(key: *const u8, length: c_int, seed: u64) -> u64;
        pub(super) fn pq_check_connection() -> bool;
        pub(super) fn die(signal: c_int);
        pub(super) fn SignalHandlerForConfigReload(signal: c_int);
        pub(super) fn SignalHandlerForCrashExit(signal: c_int);
        pub(super) fn enable_timeout_after(timeout: c_int, milliseconds: c_int);
        pub(super) fn disable_timeout(timeout: c_int, keep_indicator: bool);
        pub(super) fn disable_all_timeouts(keep_indicators: bool);
        pub(super) fn ResetSequenceCaches();
        pub(super) fn standard_ProcessUtility(
            statement: *mut pg_sys::PlannedStmt,
            query: *const c_char,
            read_only_tree: bool,
            context: pg_sys::ProcessUtilityContext::Type,
            parameters: pg_sys::ParamListInfo,
            environment: *mut pg_sys::QueryEnvironment,
            receiver: *mut pg_sys::DestReceiver,
            completion: *mut pg_sys::QueryCompletion,
        );
    }
}

/// Queues a NOTIFY for the end of this transaction.
pub fn notify(channel: &CStr, payload: &CStr) {
    // SAFETY: both are valid C strings; the server copies them.
    unsafe { pg_guard_ffi_boundary(|| raw::Async_Notify(channel.as_ptr(), payload.as_ptr())) }
}

/// Whether the client of this process is still connected; true if there is no client.
pub fn is_client_there() -> bool {
    // SAFETY: only where there is a connection to look at.
    unsafe { pg_sys::MyProcPort.is_null() || pg_guard_ffi_boundary(|| raw::pq_check_connection()) }
}

/// The signal handler that ends a session, even in the middle of a statement. Without a guard,
/// because a signal may come at any time.
pub fn end_of_session() -> SignalHandler {
    raw::die
}

/// The signal handler that makes a process read the configuration again.
pub fn configuration_changed() -> SignalHandler {
    raw::SignalHandlerForConfigReload
}

/// Forgets the last values of sequences, and cached ones.
pub fn forget_sequences() {
    // SAFETY: no preconditions; it frees memory.
    unsafe { pg_guard_ffi_boundary(|| raw::ResetSequenceCaches()) };
}

/// The signal handler that ends a process because another one has crashed.
pub fn crash_exit() -> SignalHandler {
    raw::SignalHandlerForCrashExit
}

/// A signal handler.
pub type SignalHandler = unsafe extern "C-unwind" fn(c_int);

/// The number of `statement_timeout` among the server's timeouts.
const STATEMENT_TIMEOUT: c_int = 3;

/// Cancels the running statement after this many milliseconds.
pub fn begin_statement_timeout(milliseconds: c_int) {
    // SAFETY: every process that is connected to a database has registered this timeout.
    unsafe {
        pg_guard_ffi_boundary(|| raw::enable_timeout_after(STATEMENT_TIMEOUT, milliseconds));
    }
}

/// Stops that timeout.
pub fn end_statement_timeout() {
    // SAFETY: as above.
    unsafe { pg_guard_ffi_boundary(|| raw::disable_timeout(STATEMENT_TIMEOUT, false)) };
}

/// Stops all timeouts, as the server does after an error.
pub fn end_all_timeouts() {
    // SAFETY: as above.
    unsafe { pg_guard_ffi_boundary(|| raw::disable_all_timeouts(false)) };
}

/// The server's 64-bit hash of bytes.
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    let length = c_int::try_from(bytes.len()).unwrap_or(c_int::MAX);
    // SAFETY: `length` bytes are readable at the pointer; the function cannot fail.
    unsafe { raw::hash_bytes_extended(bytes.as_ptr(), length, seed) }
}

/// The function that runs utility statements if no hook does. Without a guard: a guard rebuilds the
/// errors that pass through it, and loses SQLSTATEs that pgrx does not know.
pub fn standard_process_utility() -> UtilityFunction {
    raw::standard_ProcessUtility
}

type UtilityFunction = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);

/// Runs a server function that pgrx does not guard, for example one behind a function pointer.
///
/// # Safety
///
/// As for the function that `call` calls. `call` itself owns nothing that needs dropping.
pub unsafe fn guarded<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: we are on the server's only thread, and the caller answers for the rest.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(call) }
}
