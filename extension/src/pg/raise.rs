//! Raising an [`Error`] as the server's own kind, with a SQLSTATE of ours.
//!
//! pgrx knows only the server's SQLSTATEs. PostgreSQL runs the error context callbacks inside
//! `errfinish`, when the error is complete but not yet on its way, and lets them change it: ours
//! puts in the code.

use super::ffi;
use super::value::Text;
use crate::error::{Error, Rejected};
use pgrx::pg_sys::panic::CaughtError;
use pgrx::pg_sys::{self, panic::ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, pg_guard};
use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI32, Ordering};

/// The SQLSTATE of the error that is on its way, 0 when there is none.
static CODE: AtomicI32 = AtomicI32::new(0);

static mut CALLBACK: pg_sys::ErrorContextCallback = pg_sys::ErrorContextCallback {
    previous: std::ptr::null_mut(),
    callback: Some(put_code),
    arg: std::ptr::null_mut(),
};

/// Ends the statement with this error.
pub fn raise(error: &Error) -> ! {
    send_along(encode(error.code().sqlstate()));
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_RAISE_EXCEPTION,
        error.message(),
        "eventcore",
    )
    .set_detail(error.detail().to_string())
    .set_hint(error.hint())
    .report(PgLogLevel::ERROR);
    unreachable!("an error report of level ERROR does not return")
}

/// Keeps the SQLSTATE of every error that leaves `work`, also one that pgrx does not know: of an
/// application's function in an index, for example. pgrx would make XX000 of it.
pub fn keeping_codes<R>(work: impl FnOnce() -> R) -> R {
    SEEN.store(0, Ordering::Relaxed);
    let mut callback = pg_sys::ErrorContextCallback {
        // SAFETY: a variable of the server, read on its only thread.
        previous: unsafe { pg_sys::error_context_stack },
        callback: Some(see_code),
        arg: std::ptr::null_mut(),
    };
    let watching = Watching {
        previous: callback.previous,
    };
    // SAFETY: as above; taken off the stack again before the callback goes.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    let result = work();
    drop(watching);
    result
}

/// An error of the server's or of ours that went no further.
#[derive(Debug)]
pub struct Caught {
    pub sqlstate: String,
    pub message: String,
}

impl From<Error> for Caught {
    fn from(error: Error) -> Self {
        Self {
            sqlstate: error.code().sqlstate().to_owned(),
            message: error.message(),
        }
    }
}

/// Runs a transaction of a background worker, and catches what it raises: the caller rolls it back.
pub fn catching<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Caught> {
    SEEN.store(0, Ordering::Relaxed);
    let mut callback = pg_sys::ErrorContextCallback {
        previous: std::ptr::null_mut(),
        callback: Some(see_code),
        arg: std::ptr::null_mut(),
    };
    // SAFETY: a variable of the server; a worker has no callback outside of this. It is taken off the
    // stack before it goes, with whatever was raised and put on top of it.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    let caught = PgTryBuilder::new(AssertUnwindSafe(|| work().map_err(Caught::from)))
        .catch_others(|error| {
            let (CaughtError::PostgresError(report)
            | CaughtError::ErrorReport(report)
            | CaughtError::RustPanic {
                ereport: report, ..
            }) = error;
            let seen = SEEN.load(Ordering::Relaxed);
            let detail = report.detail().map(|detail| format!(" ({detail})"));
            Err(Caught {
                sqlstate: decode(if seen == 0 { encode("XX000") } else { seen }),
                message: format!("{}{}", report.message(), detail.unwrap_or_default()),
            })
        })
        .execute();
    // SAFETY: as above.
    unsafe { pg_sys::error_context_stack = std::ptr::null_mut() };
    CODE.store(0, Ordering::Relaxed);
    caught
}

/// Runs a function of an application whose errors are its decision: raises them as SE006, with what was raised
/// in the DETAIL. What is no decision, such as a cancelled statement, is raised as it is.
pub fn rejecting<R>(command: Text<'_>, work: impl FnOnce() -> R) -> Result<R, Error> {
    SEEN.store(0, Ordering::Relaxed);
    PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
        .catch_others(|error| {
            let sqlstate = decode(SEEN.load(Ordering::Relaxed));
            match error {
                CaughtError::PostgresError(report) if is_decision(&sqlstate) => {
                    Err(Error::Rejected(Rejected {
                        command: command.to_string(),
                        sqlstate,
                        message: report.message().to_owned(),
                        detail: report.detail().map(str::to_owned),
                        hint: report.hint().map(str::to_owned),
                    }))
                }
                other => other.rethrow(),
            }
        })
        .execute()
}

/// Not a lost connection, a deadlock, too few resources, an operator, a broken server, or an error of ours.
fn is_decision(sqlstate: &str) -> bool {
    !["08", "40", "53", "54", "57", "58", "XX", "SE", "00"].contains(&&sqlstate[..2])
}

/// The five characters of the server's form of a SQLSTATE.
fn decode(code: c_int) -> String {
    let characters = (0..5).map(|place| (((code >> (6 * place)) & 0x3f) + 0x30) as u8 as char);
    characters.collect()
}

/// The SQLSTATE of the last message that the server has raised, 0 when there was none.
static SEEN: AtomicI32 = AtomicI32::new(0);

struct Watching {
    previous: *mut pg_sys::ErrorContextCallback,
}

impl Drop for Watching {
    fn drop(&mut self) {
        // SAFETY: what was there before.
        unsafe { pg_sys::error_context_stack = self.previous };
        let code = SEEN.load(Ordering::Relaxed);
        if std::thread::panicking() && code != 0 {
            send_along(code);
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn see_code(_arg: *mut c_void) {
    // SAFETY: the server calls this while it raises a message.
    SEEN.store(unsafe { pg_sys::geterrcode() }, Ordering::Relaxed);
}

/// Gives the error that is about to be raised this SQLSTATE.
fn send_along(code: c_int) {
    CODE.store(code, Ordering::Relaxed);
    // SAFETY: we are on the server's only thread. The callback stays on the stack until the error
    // has been thrown; whoever catches it puts the stack back to what it was.
    unsafe {
        let callback = &raw mut CALLBACK;
        if pg_sys::error_context_stack != callback {
            (*callback).previous = pg_sys::error_context_stack;
            pg_sys::error_context_stack = callback;
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn put_code(_arg: *mut c_void) {
    let code = CODE.swap(0, Ordering::Relaxed);
    if code != 0 {
        // SAFETY: the server calls this while it raises the error.
        unsafe { ffi::set_error_code(code) };
    }
}

/// The server's form of a SQLSTATE: six bits for each of the five characters.
fn encode(sqlstate: &str) -> c_int {
    sqlstate.bytes().rev().fold(0, |code, byte| {
        (code << 6) | ((c_int::from(byte) - 0x30) & 0x3f)
    })
}
