//! The signals of background workers, and the errors that end them.

use super::ffi;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst};

/// The process that sent the last SIGTERM.
static TERMINATED_BY: AtomicI32 = AtomicI32::new(0);

/// What to write on SIGQUIT, which the postmaster sends after another process has crashed, and
/// where. A negative file means nowhere.
static FILE: AtomicI32 = AtomicI32::new(-1);
static OFFSET: AtomicI64 = AtomicI64::new(0);
static MARK: AtomicU32 = AtomicU32::new(0);

/// A function that is called with the SQLSTATE and the message of an error.
pub type Listener = fn(&str, &str);

thread_local! {
    /// Called with the error that ends this process.
    static LISTENER: Cell<Option<Listener>> = const { Cell::new(None) };
}

static mut NEXT_LOG: pg_sys::emit_log_hook_type = None;

/// Makes SIGTERM end this process whatever it does, as it ends any session, and SIGHUP read the
/// configuration. To be called first in the main function of a background worker.
///
/// The configuration is to be read once in any case: the server ignores a SIGHUP that comes while it
/// starts the process.
pub(super) fn handle() {
    // SAFETY: handlers of the server and of this module, which do only what a handler may; a variable
    // that they write.
    unsafe {
        set(pg_sys::SIGHUP as c_int, ffi::configuration_changed());
        (&raw mut pg_sys::ConfigReloadPending).write_volatile(1);
        set(pg_sys::SIGQUIT as c_int, on_quit);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_terminate as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGTERM, &action, std::ptr::null_mut());
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Whether this process was told to end.
pub(super) fn is_told_to_end() -> bool {
    // SAFETY: a variable of the server that a signal handler writes.
    unsafe { (&raw const pg_sys::ProcDiePending).read_volatile() != 0 }
}

/// Whether the postmaster has told this process to end, because the server stops or another process
/// of the extension asked for it, or whether the postmaster is gone.
pub fn is_ended_by_postmaster() -> bool {
    // SAFETY: no preconditions; a variable of the server.
    unsafe {
        let postmaster = pg_sys::PostmasterPid;
        TERMINATED_BY.load(SeqCst) == postmaster || libc::getppid() != postmaster
    }
}

/// Makes this process write the mark there before it ends because another process has crashed. The
/// file has to stay open.
pub fn write_when_others_crash(file: i32, offset: i64, mark: u32) {
    OFFSET.store(offset, SeqCst);
    MARK.store(mark, SeqCst);
    FILE.store(file, SeqCst);
}

/// Cancels that.
pub fn write_nothing_when_others_crash() {
    FILE.store(-1, SeqCst);
}

/// Calls `listener` with the SQLSTATE and the message of an error that ends this process, even
/// while it logs in.
pub fn on_fatal(listener: Listener) {
    if LISTENER.replace(Some(listener)).is_none() {
        // SAFETY: a variable of the server, changed on its only thread.
        unsafe {
            NEXT_LOG = pg_sys::emit_log_hook;
            pg_sys::emit_log_hook = Some(on_log);
        }
    }
}

/// Restores `errno` for the code that the signal has interrupted.
unsafe extern "C" fn on_terminate(
    signal: c_int,
    information: *mut libc::siginfo_t,
    _context: *mut c_void,
) {
    // SAFETY: the arguments are the kernel's; the server's handler may be called in a handler.
    unsafe {
        let errno = errno();
        let before = *errno;
        TERMINATED_BY.store((*information).si_pid(), SeqCst);
        ffi::end_of_session()(signal);
        *errno = before;
    }
}

#[cfg(not(any(target_os = "macos", target_os = "freebsd")))]
fn errno() -> *mut c_int {
    // SAFETY: no preconditions.
    unsafe { libc::__errno_location() }
}

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
fn errno() -> *mut c_int {
    // SAFETY: no preconditions.
    unsafe { libc::__error() }
}

unsafe extern "C-unwind" fn on_quit(signal: c_int) {
    let file = FILE.load(SeqCst);
    // SAFETY: pwrite may be called in a handler, the mark is four bytes, and the server's handler
    // ends the process.
    unsafe {
        if file >= 0 {
            let mark = MARK.load(SeqCst).to_le_bytes();
            libc::pwrite(file, mark.as_ptr().cast(), mark.len(), OFFSET.load(SeqCst));
        }
        ffi::crash_exit()(signal);
    }
}

/// Without a guard: nothing in here panics or raises an error.
unsafe extern "C-unwind" fn on_log(error: *mut pg_sys::ErrorData) {
    // SAFETY: the error that the server is about to write to its log; its texts end with a zero
    // byte.
    unsafe {
        if let Some(next) = NEXT_LOG {
            next(error);
        }
        if (*error).elevel < pg_sys::FATAL as c_int {
            return;
        }
        if let Some(listener) = LISTENER.get() {
            let message = match (*error).message {
                message if message.is_null() => String::new(),
                message => CStr::from_ptr(message).to_string_lossy().into_owned(),
            };
            listener(&super::raise::decode((*error).sqlerrcode), &message);
        }
    }
}

#[cfg(not(feature = "pg18"))]
unsafe fn set(signal: c_int, handler: ffi::SignalHandler) {
    // SAFETY: guaranteed by the caller.
    unsafe { pg_sys::pqsignal(signal, Some(handler)) };
}

#[cfg(feature = "pg18")]
unsafe fn set(signal: c_int, handler: ffi::SignalHandler) {
    // SAFETY: guaranteed by the caller.
    unsafe { pg_sys::pqsignal_be(signal, Some(handler)) };
}
