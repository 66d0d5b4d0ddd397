//! Values that no store can hold although their types allow them. Checked before anything is sent,
//! so that all stores report the same error.

use eventcore_rules::{ExpectedVersion, MAX_EVENTS_PER_APPEND};

use super::append::{Append, NewEvent};
use super::error::StoreError;
use super::snapshot::Snapshot;
use crate::values::json;

/// How deep arrays and objects may be nested: serde_json cannot read deeper ones back.
const MAX_DEPTH: usize = 127;

/// Checks that PostgreSQL can hold every expected version, payload and metadata.
pub(crate) fn check(append: &Append) -> Result<(), StoreError> {
    let too_large = append.streams.iter().position(|(_, expected)| {
        matches!(expected, ExpectedVersion::Exactly(version) if i64::try_from(*version).is_err())
    });
    if let Some(index) = too_large {
        let reason = "is above the largest version";
        return Err(StoreError::malformed(
            "expected_versions",
            Some(index),
            reason,
        ));
    }
    if append.events.len() > MAX_EVENTS_PER_APPEND {
        let reason = format!(
            "has {} elements, more than {MAX_EVENTS_PER_APPEND}",
            append.events.len()
        );
        return Err(StoreError::malformed("event_streams", None, reason));
    }
    for (index, event) in append.events.iter().enumerate() {
        content(event)
            .map_err(|(array, reason)| StoreError::malformed(array, Some(index), reason))?;
    }
    Ok(())
}

/// Checks that PostgreSQL can hold the state of a snapshot.
pub(crate) fn check_state(snapshot: &Snapshot) -> Result<(), StoreError> {
    if snapshot.state.has_nul() {
        return Err(StoreError::malformed(
            "state",
            None,
            "has a character U+0000",
        ));
    }
    Ok(())
}

/// The extension's array argument that would hold the invalid part of the event, and what is wrong
/// with it.
fn content(event: &NewEvent) -> Result<(), (&'static str, &'static str)> {
    if event.payload.is_null() {
        return Err(("payloads", "is JSON null"));
    }
    if event.payload.has_nul() {
        return Err(("payloads", "has a character U+0000"));
    }
    let Some(metadata) = &event.metadata else {
        return Ok(());
    };
    let metadata = metadata.as_payload();
    if metadata.has_nul() {
        return Err(("metadata", "has a character U+0000"));
    }
    if json::depth(metadata.as_str()) > MAX_DEPTH {
        return Err(("metadata", "is nested too deep"));
    }
    Ok(())
}
