//! What no store can hold, although its type allows it: checked before anything is sent, so that all
//! stores say the same.

use eventcore_rules::{ExpectedVersion, MAX_EVENTS_PER_APPEND};
use serde_json::Value;

use crate::{Append, NewEvent, Snapshot, StoreError};

/// How deep arrays and objects may be in one another to be read again: as deep as serde_json goes.
const MAX_DEPTH: usize = 127;

/// Checks that PostgreSQL's types can hold every expected version, payload and metadata.
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

/// The array of the extension that a part of the event goes into, and what is wrong with it.
fn content(event: &NewEvent) -> Result<(), (&'static str, &'static str)> {
    if event.payload.is_null() {
        return Err(("payloads", "is JSON null"));
    }
    if event.payload.has_nul() {
        return Err(("payloads", "has a character U+0000"));
    }
    if event
        .metadata
        .iter()
        .flatten()
        .any(|(key, value)| key.contains('\0') || has_nul(value))
    {
        return Err(("metadata", "has a character U+0000"));
    }
    // It is read with the event: one that cannot be would keep every reader from going on.
    let mut fields = event.metadata.iter().flatten();
    if fields.any(|(_, value)| is_deeper(value, MAX_DEPTH - 1)) {
        return Err(("metadata", "is nested too deep"));
    }
    Ok(())
}

/// Whether a text in it has the one character that PostgreSQL cannot hold.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether arrays and objects in it are in one another at more than so many levels.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let deeper = |value| is_deeper(value, levels - 1);
    match value {
        Value::Array(values) => levels == 0 || values.iter().any(deeper),
        Value::Object(fields) => levels == 0 || fields.values().any(deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
