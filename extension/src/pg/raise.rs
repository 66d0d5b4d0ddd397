//! Passing errors to the server, with their SQLSTATE and all their fields.
//!
//! An error of the extension is a value up to the entry point that the server called, which raises
//! it. An error of the server passes through the extension as a panic of pgrx. The panic carries
//! only a part of the error, and no SQLSTATE that pgrx does not know.
//! [`last_error`](super::last_error) keeps all of it, and the entry point raises that.

use super::last_error::{ErrorWatch, LastError};
use super::memory;
use crate::error::Error;
use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};
use pgrx::pg_sys::{self, ErrorData};
use std::any::Any;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A complete error that has not been passed to the server yet, in memory of the server.
pub struct Raised(*mut ErrorData);

// SAFETY: the server has one thread; a panic may carry only what could go to another one.
unsafe impl Send for Raised {}

thread_local! {
    /// The file and the line where the last panic began.
    static PANICKED_AT: Cell<Option<(String, u32)>> = const { Cell::new(None) };
}

/// The way in for everything that the server calls: hooks, callbacks, functions, processes. An
/// error or a panic leaves `work` only as an error of the server.
pub fn entry<R>(work: impl FnOnce() -> Result<R, Error>) -> R {
    match attempt(work) {
        Ok(value) => value,
        Err(raised) => raised.throw(),
    }
}

/// Does the same for a callback that must not fail because a transaction has already ended. An
/// error becomes a warning.
pub fn entry_without_error(work: impl FnOnce()) {
    if let Err(raised) = attempt(|| {
        work();
        Ok(())
    }) {
        raised.warn();
    }
}

/// Runs `work` and catches the error that it returns or raises.
pub(super) fn attempt<R>(work: impl FnOnce() -> Result<R, Error>) -> Result<R, Raised> {
    memory::hold_reserve();
    let mut seen = LastError::nothing();
    let mut watch = ErrorWatch::of(&mut seen);
    watch.begin();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        work().map_err(|error| Raised::of(&error))
    }));
    watch.end();
    match outcome {
        Ok(done) => {
            seen.forget();
            done
        }
        Err(payload) => Err(Raised::caught(payload, &mut seen)),
    }
}

/// Raises an error in a function that cannot return it.
pub fn raise(error: &Error) -> ! {
    Raised::of(error).go_on()
}

/// Records where a panic begins. It prints nothing, because a backtrace does not belong into a
/// message to the client. To be called once, in the process from which all others are forked.
pub fn watch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        // A panic that pgrx raises for an error has no message of its own.
        if panic.payload_as_str().is_some()
            && let Some(place) = panic.location()
        {
            PANICKED_AT.set(Some((place.file().to_owned(), place.line())));
        }
    }));
}

impl Raised {
    /// An error of the extension.
    fn of(error: &Error) -> Self {
        let report = error.report();
        let (code, detail) = (encode(report.code.sqlstate()), report.detail.to_string());
        Self::new(code, &report.message, Some(&detail), Some(&report.hint))
    }

    fn new(code: c_int, message: &str, detail: Option<&str>, hint: Option<&str>) -> Self {
        let error = ErrorData {
            elevel: PgLogLevel::ERROR as c_int,
            sqlerrcode: code,
            message: text(message),
            detail: detail.map_or(std::ptr::null_mut(), text),
            hint: hint.map_or(std::ptr::null_mut(), text),
            filename: c"eventcore".as_ptr(),
            funcname: c"eventcore".as_ptr(),
            ..ErrorData::default()
        };
        // SAFETY: the memory has room for it.
        Self(unsafe {
            let place: *mut ErrorData = pg_sys::palloc0(size_of::<ErrorData>()).cast();
            place.write(error);
            place
        })
    }

    /// The error that a panic carries.
    fn caught(payload: Box<dyn Any + Send>, seen: &mut LastError) -> Self {
        let payload = match payload.downcast::<Self>() {
            Ok(raised) => return *raised,
            Err(payload) => payload,
        };
        let is_of_server = matches!(
            payload.downcast_ref::<CaughtError>(),
            Some(CaughtError::PostgresError(_))
        );
        if is_of_server && let Some(error) = seen.take() {
            return Self(error);
        }
        // The panic itself cannot be raised again. If this fails to allocate, that error is raised
        // instead.
        let made = catch_unwind(AssertUnwindSafe(|| Self::of_panic(&*payload)));
        made.unwrap_or_else(|_| match seen.take() {
            Some(error) => Self(error),
            None => Self(&raw mut NO_MEMORY),
        })
    }

    fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let report = match payload.downcast_ref::<CaughtError>() {
            Some(
                CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic {
                    ereport: report, ..
                },
            ) => Some(report),
            None => payload.downcast_ref::<ErrorReportWithLevel>(),
        };
        if let Some(report) = report {
            let code = report.sql_error_code() as c_int;
            return Self::new(code, report.message(), report.detail(), report.hint());
        }
        if let Some(report) = payload.downcast_ref::<ErrorReport>() {
            let internal = encode(INTERNAL);
            return Self::new(internal, report.message(), report.detail(), report.hint());
        }
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("a panic without a message");
        let place = PANICKED_AT.take().map(|(file, line)| {
            format!("eventcore has a defect in {file}, line {line}. Nothing was changed.")
        });
        Self::new(
            encode(INTERNAL),
            message,
            place.as_deref(),
            Some("Report it with the statement that shows it."),
        )
    }

    /// Passes the error to the server, which jumps over this frame. Nothing here has a destructor.
    fn throw(self) -> ! {
        // SAFETY: a complete error, which the server copies; no frame of ours is in between.
        unsafe { raw::ThrowErrorData(self.0) };
        unreachable!("an error does not return")
    }

    fn warn(self) {
        // SAFETY: as above; a warning returns.
        unsafe {
            (*self.0).elevel = PgLogLevel::WARNING as c_int;
            raw::ThrowErrorData(self.0);
        }
    }

    /// Raises the error again, for an outer frame to catch.
    pub(super) fn go_on(self) -> ! {
        resume_unwind(Box::new(self))
    }

    /// The five characters of its SQLSTATE.
    pub(super) fn sqlstate(&self) -> String {
        // SAFETY: a complete error.
        decode(unsafe { (*self.0).sqlerrcode })
    }

    /// Whether a commit found no place for its notifications. The SQLSTATE is that of any limit of the server's, and the
    /// message is translated, so this goes by the function of the server that raises it.
    pub(super) fn is_full_queue(&self) -> bool {
        // SAFETY: as above; the name of a function in the server's code, or null.
        self.sqlstate() == LIMIT_EXCEEDED
            && owned(unsafe { (*self.0).funcname }).as_deref() == Some("PreCommit_Notify")
    }

    pub(super) fn message(&self) -> String {
        // SAFETY: as above.
        owned(unsafe { (*self.0).message }).unwrap_or_default()
    }

    pub(super) fn detail(&self) -> Option<String> {
        // SAFETY: as above.
        owned(unsafe { (*self.0).detail })
    }

    pub(super) fn hint(&self) -> Option<String> {
        // SAFETY: as above.
        owned(unsafe { (*self.0).hint })
    }
}

/// The SQLSTATE of a panic or of an unexpected error.
const INTERNAL: &str = "XX000";

/// Program_limit_exceeded.
const LIMIT_EXCEEDED: &str = "54000";

/// The server's form of SQLSTATE 53200, out_of_memory.
pub(super) const OUT_OF_MEMORY: c_int = encode("53200");

/// The error to raise if there is no memory left for any other.
static mut NO_MEMORY: ErrorData = ErrorData {
    elevel: PgLogLevel::ERROR as c_int,
    sqlerrcode: OUT_OF_MEMORY,
    message: c"out of memory".as_ptr().cast_mut(),
    filename: c"eventcore".as_ptr(),
    funcname: c"eventcore".as_ptr(),
    // SAFETY: the server's own way to make an empty one.
    ..unsafe { std::mem::zeroed() }
};

mod raw {
    use pgrx::pg_sys::ErrorData;

    unsafe extern "C-unwind" {
        pub(super) fn ThrowErrorData(error: *mut ErrorData);
    }
}

/// A copy as a C string in the current memory context.
fn text(text: &str) -> *mut c_char {
    // SAFETY: as many bytes as the text has, and one more.
    unsafe {
        let copy: *mut u8 = pg_sys::palloc(text.len() + 1).cast();
        copy.copy_from_nonoverlapping(text.as_ptr(), text.len());
        copy.add(text.len()).write(0);
        copy.cast()
    }
}

fn owned(text: *const c_char) -> Option<String> {
    // SAFETY: a C string where it is not null.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text).to_string_lossy().into_owned() })
}

/// Encodes a SQLSTATE as the server does: six bits for each of the five characters.
const fn encode(sqlstate: &str) -> c_int {
    let (bytes, mut code, mut place) = (sqlstate.as_bytes(), 0, 5);
    while place > 0 {
        place -= 1;
        code = (code << 6) | ((bytes[place] as c_int - 0x30) & 0x3f);
    }
    code
}

/// Decodes the server's form of a SQLSTATE.
pub(super) fn decode(code: c_int) -> String {
    let characters = (0..5).map(|place| (((code >> (6 * place)) & 0x3f) + 0x30) as u8 as char);
    characters.collect()
}
