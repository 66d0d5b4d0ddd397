//! The types of the events that process managers write for themselves, which readers that do not know them pass over.

use super::names::EventType;

pub(crate) const ACCEPTED: &str = "eventcore.process.accepted";
pub(crate) const DONE: &str = "eventcore.process.command-done";
pub(crate) const REJECTED: &str = "eventcore.process.command-rejected";
pub(crate) const TIMEOUT: &str = "eventcore.process.timeout";

/// Whether an event of this type is written by process managers for themselves.
pub(crate) fn is_record(event_type: &EventType) -> bool {
    [ACCEPTED, DONE, REJECTED, TIMEOUT].contains(&event_type.as_str())
}
