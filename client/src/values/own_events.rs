//! The types of the events that process managers write for their own use. Readers that do not know
//! them skip them.

use super::names::EventType;

pub(crate) const ACCEPTED: &str = "eventcore.process.accepted";
pub(crate) const DONE: &str = "eventcore.process.command-done";
pub(crate) const REJECTED: &str = "eventcore.process.command-rejected";
pub(crate) const TIMEOUT: &str = "eventcore.process.timeout";

/// Whether process managers write events of this type for their own use.
pub(crate) fn is_record(event_type: &EventType) -> bool {
    [ACCEPTED, DONE, REJECTED, TIMEOUT].contains(&event_type.as_str())
}
