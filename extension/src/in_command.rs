//! Whether this backend is executing a command: its functions decide, and do not write.

use crate::error::{Error, Unavailable};
use std::cell::Cell;

thread_local! {
    static EXECUTING: Cell<bool> = const { Cell::new(false) };
}

/// SE009 in a function of a command: it decides, and leaves writing to the execution.
pub fn require_outside(what: &'static str) -> Result<(), Error> {
    if EXECUTING.get() {
        return Err(Unavailable::InCommand { what }.into());
    }
    Ok(())
}

/// As long as a command is executed; also an error ends it.
pub struct Inside;

impl Inside {
    /// SE009 if one is executed already.
    pub fn enter() -> Result<Self, Error> {
        require_outside("eventcore_execute")?;
        EXECUTING.set(true);
        Ok(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        EXECUTING.set(false);
    }
}
