//! [`Trigger`]: what a process reacts to.

use crate::store::StoredEvent;

/// What a process reacts to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Trigger<'a, E> {
    /// An event that concerns the process.
    Event(&'a StoredEvent<E>),
    /// A business rule rejected a command of the process.
    Rejected {
        /// The name of the command: that of its type, if it is derived.
        command: &'a str,
        /// Which command of its reaction it was, from 0.
        index: usize,
        /// Kind, as the error says.
        message: &'a str,
    },
    /// A timeout of the process is over.
    Timeout {
        /// The name that the process gave it.
        name: &'a str,
    },
}
