//! Re-entrancy guard: tracks whether this backend is inside a function of a command or a handler of
//! an inline projection. Neither may append.

use crate::error::{Error, Unavailable};
use std::cell::Cell;

/// What calls functions of applications.
#[derive(Clone, Copy)]
pub enum Context {
    Command,
    Projection,
}

thread_local! {
    static CONTEXT: Cell<Option<Context>> = const { Cell::new(None) };
}

/// SE009 inside a function of a command or a handler of an inline projection.
pub fn refuse_reentry(what: &'static str) -> Result<(), Error> {
    match CONTEXT.get() {
        None => Ok(()),
        Some(Context::Command) => Err(Unavailable::InCommand { what }.into()),
        Some(Context::Projection) => Err(Unavailable::InProjection { what }.into()),
    }
}

/// Restores the context before when it is dropped, even after an error.
pub struct ContextGuard {
    outer: Option<Context>,
}

impl ContextGuard {
    /// Enters a context. An inline projection may run inside the append of a command.
    pub fn enter(context: Context) -> Self {
        Self {
            outer: CONTEXT.replace(Some(context)),
        }
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        CONTEXT.set(self.outer);
    }
}
