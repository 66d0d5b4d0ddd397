//! [`Trigger`]: what a process reacts to.

use crate::store::StoredEvent;

/// What a process reacts to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Trigger<'a, E> {
    /// An event that belongs to the process.
    Event(&'a StoredEvent<E>),
    /// A business rule rejected a command of the process.
    Rejected {
        /// The name of the command; by default the name of its type.
        command: &'a str,
        /// The index of the command in its reaction, from 0.
        index: usize,
        /// The message of the rejection.
        message: &'a str,
    },
    /// A timeout of the process is due.
    Timeout {
        /// The name that the process gave it.
        name: &'a str,
    },
}
