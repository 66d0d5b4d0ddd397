//! What this backend is context for somebody: functions of a command decide, and handlers of inline projections take
//! part in an append. Neither appends by itself.

use crate::error::{Error, Unavailable};
use std::cell::Cell;

/// What runs functions of applications.
#[derive(Clone, Copy)]
pub enum Context {
    Command,
    Projection,
}

thread_local! {
    static CONTEXT: Cell<Option<Context>> = const { Cell::new(None) };
}

/// SE009 in a function that is being run.
pub fn refuse_reentry(what: &'static str) -> Result<(), Error> {
    match CONTEXT.get() {
        None => Ok(()),
        Some(Context::Command) => Err(Unavailable::InCommand { what }.into()),
        Some(Context::Projection) => Err(Unavailable::InProjection { what }.into()),
    }
}

/// As long as something runs; also an error ends it.
pub struct ContextGuard {
    outer: Option<Context>,
}

impl ContextGuard {
    /// Inline projections run inside the append of a command too.
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
