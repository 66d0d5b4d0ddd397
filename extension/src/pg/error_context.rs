//! The CONTEXT of errors that functions of applications raise: for which events they were called.

use super::value::Text;
use pgrx::pg_sys::{self, ErrorContextCallback};
use std::ffi::{CStr, c_char, c_int, c_longlong, c_void};

/// The events of one stream that a function gets. `'a` is the memory of the names.
pub struct EventRange<'a> {
    pub command: Text<'a>,
    pub stream: Text<'a>,
    /// The first and the last version.
    pub versions: (i64, i64),
    /// The first and the last position.
    pub positions: (i64, i64),
}

const ONE: &CStr = c"apply of command \"%.*s\" for version %lld of stream \"%.*s\" (position %lld)";
const SEVERAL: &CStr = c"apply of command \"%.*s\" for versions %lld to %lld of stream \"%.*s\" (positions %lld to %lld)";

/// Calls `apply` by `work`. The CONTEXT of each message that it raises names the events.
pub fn applying<R>(events: &EventRange<'_>, work: impl FnOnce() -> R) -> R {
    let mut callback = ErrorContextCallback {
        // SAFETY: a variable of the server, read on its only thread.
        previous: unsafe { pg_sys::error_context_stack },
        callback: Some(add),
        arg: std::ptr::from_ref(events).cast_mut().cast(),
    };
    let previous = Previous(callback.previous);
    // SAFETY: taken off the stack before this frame ends, also by a panic.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    let result = work();
    drop(previous);
    result
}

/// Restores the server's stack of callbacks when it is dropped.
struct Previous(*mut ErrorContextCallback);

impl Drop for Previous {
    fn drop(&mut self) {
        // SAFETY: what was there before.
        unsafe { pg_sys::error_context_stack = self.0 };
    }
}

/// Formatted by the server, in the memory that it has reserved for errors. If Rust got no memory
/// here, it would end the process.
unsafe extern "C-unwind" fn add(events: *mut c_void) {
    // SAFETY: the server calls this while it raises a message, with what `applying` has passed. The
    // values are those that the formats name. A length is at most 255.
    unsafe {
        let events: *const EventRange<'_> = events.cast();
        let (command, stream) = ((*events).command.bytes(), (*events).stream.bytes());
        let ((first, last), (from, to)) = ((*events).versions, (*events).positions);
        raw::set_errcontext_domain(std::ptr::null());
        if first == last {
            raw::errcontext_msg(
                ONE.as_ptr(),
                command.len() as c_int,
                command.as_ptr().cast::<c_char>(),
                first as c_longlong,
                stream.len() as c_int,
                stream.as_ptr().cast::<c_char>(),
                from as c_longlong,
            );
        } else {
            raw::errcontext_msg(
                SEVERAL.as_ptr(),
                command.len() as c_int,
                command.as_ptr().cast::<c_char>(),
                first as c_longlong,
                last as c_longlong,
                stream.len() as c_int,
                stream.as_ptr().cast::<c_char>(),
                from as c_longlong,
                to as c_longlong,
            );
        }
    }
}

/// Without a guard, because they run while an error is raised.
mod raw {
    use std::ffi::{c_char, c_int};

    unsafe extern "C-unwind" {
        pub(super) fn set_errcontext_domain(domain: *const c_char) -> c_int;
        pub(super) fn errcontext_msg(format: *const c_char, ...) -> c_int;
    }
}
