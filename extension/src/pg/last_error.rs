//! Copies every error that the server raises, at the moment when it is raised. pgrx catches the
//! error at its next call and keeps only a part of it.
//!
//! PostgreSQL calls the error context callbacks when a message is complete, the innermost first.
//! The callback here copies the error with the context that the inner frames have added. The outer
//! callbacks are called when the error is raised again.

use super::memory;
use super::raise::OUT_OF_MEMORY;
use pgrx::PgLogLevel;
use pgrx::pg_sys::{self, ErrorContextCallback, ErrorData, MemoryContext};
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

/// The last error that was raised. It may have been caught since, for example by an exception block
/// of an application. It is the current error only if a panic of pgrx says so.
pub(super) struct LastError {
    error: *mut ErrorData,
    /// The memory context for the copy: that of the caller.
    memory: MemoryContext,
}

/// Copies errors between its beginning and its end.
pub(super) struct ErrorWatch<'a> {
    callback: ErrorContextCallback,
    seen: PhantomData<&'a mut LastError>,
}

impl LastError {
    pub(super) fn nothing() -> Self {
        Self {
            error: std::ptr::null_mut(),
            // SAFETY: a variable of the server.
            memory: unsafe { pg_sys::CurrentMemoryContext },
        }
    }

    /// The error, which then belongs to the caller.
    pub(super) fn take(&mut self) -> Option<*mut ErrorData> {
        let error = std::mem::replace(&mut self.error, std::ptr::null_mut());
        (!error.is_null()).then_some(error)
    }

    /// Frees the copy of an error that was caught.
    pub(super) fn forget(&mut self) {
        if let Some(error) = self.take() {
            // SAFETY: a copy made here; this cannot fail.
            unsafe { raw::FreeErrorData(error) };
        }
    }
}

impl<'a> ErrorWatch<'a> {
    pub(super) fn of(seen: &'a mut LastError) -> Self {
        Self {
            callback: ErrorContextCallback {
                // SAFETY: a variable of the server, read on its only thread.
                previous: unsafe { pg_sys::error_context_stack },
                callback: Some(see),
                arg: std::ptr::from_mut(seen).cast(),
            },
            seen: PhantomData,
        }
    }

    /// The server keeps the address of the callback until the end.
    pub(super) fn begin(&mut self) {
        // SAFETY: taken off the stack again before the callback is dropped.
        unsafe { pg_sys::error_context_stack = &raw mut self.callback };
    }

    /// Restores the server's stack of callbacks, whatever is on top of it by now.
    pub(super) fn end(&mut self) {
        // SAFETY: what was there before.
        unsafe { pg_sys::error_context_stack = self.callback.previous };
    }
}

/// If this raises an error, for example for lack of memory, it replaces the one that is being
/// raised. It jumps over this frame, which owns nothing.
unsafe extern "C-unwind" fn see(seen: *mut c_void) {
    // SAFETY: the server calls this while it raises a message, with what `begin` has passed.
    unsafe {
        // 00000 is a message that is not an error.
        let code = raw::geterrcode();
        if code == 0 {
            return;
        }
        if code == OUT_OF_MEMORY {
            memory::release_reserve();
        }
        let seen: *mut LastError = seen.cast();
        let before = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*seen).memory;
        (*seen).forget();
        let copy = raw::CopyErrorData();
        if (*copy).elevel >= PgLogLevel::ERROR as c_int {
            (*seen).error = copy;
        } else {
            raw::FreeErrorData(copy);
        }
        pg_sys::CurrentMemoryContext = before;
    }
}

/// Without a guard, because they run while an error is raised.
mod raw {
    use pgrx::pg_sys::ErrorData;
    use std::ffi::c_int;

    unsafe extern "C-unwind" {
        pub(super) fn geterrcode() -> c_int;
        pub(super) fn CopyErrorData() -> *mut ErrorData;
        pub(super) fn FreeErrorData(error: *mut ErrorData);
    }
}
