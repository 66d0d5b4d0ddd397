//! What this backend is running for somebody: functions of a command decide, and handlers of inline projections take
//! part in an append. Neither appends by itself.

use crate::error::{Error, Unavailable};
use std::cell::Cell;

/// What runs functions of applications.
#[derive(Clone, Copy)]
pub enum Running {
    Command,
    Projection,
}

thread_local! {
    static RUNNING: Cell<Option<Running>> = const { Cell::new(None) };
}

/// SE009 in a function that is being run.
pub fn require_outside(what: &'static str) -> Result<(), Error> {
    match RUNNING.get() {
        None => Ok(()),
        Some(Running::Command) => Err(Unavailable::InCommand { what }.into()),
        Some(Running::Projection) => Err(Unavailable::InProjection { what }.into()),
    }
}

/// As long as something runs; also an error ends it.
pub struct Inside {
    around: Option<Running>,
}

impl Inside {
    /// Inline projections run inside the append of a command too.
    pub fn enter(running: Running) -> Self {
        Self {
            around: RUNNING.replace(Some(running)),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        RUNNING.set(self.around);
    }
}
