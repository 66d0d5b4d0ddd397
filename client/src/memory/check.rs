//! What makes an append malformed, whatever the store holds.

use std::collections::HashSet;

use eventcore_rules::MAX_STREAMS_PER_APPEND;
use serde_json::Value;

use crate::{Append, NewEvent, StoreError, StreamId};

/// Checks an append in the order of the extension: its streams, then each event, then that no id
/// stands twice. Names the arguments as the extension does.
pub(super) fn append(append: &Append) -> Result<(), StoreError> {
    if append.streams.is_empty() {
        return Err(StoreError::malformed("streams", None, "is empty"));
    }
    let declared = streams_once(append.streams.iter().map(|(stream, _)| stream))?;
    for (index, event) in append.events.iter().enumerate() {
        if !declared.contains(&event.stream_id) {
            return Err(StoreError::undeclared_stream(event.stream_id.as_str()));
        }
        content(event)
            .map_err(|(array, reason)| StoreError::malformed(array, Some(index), reason))?;
    }
    let mut ids = HashSet::with_capacity(append.events.len());
    match append
        .events
        .iter()
        .position(|event| !ids.insert(event.event_id))
    {
        Some(index) => Err(StoreError::malformed(
            "event_ids",
            Some(index),
            "stands twice",
        )),
        None => Ok(()),
    }
}

/// Checks that there are not too many streams, each listed once, and returns them.
pub(super) fn streams_once<'a>(
    streams: impl ExactSizeIterator<Item = &'a StreamId>,
) -> Result<HashSet<&'a StreamId>, StoreError> {
    if streams.len() > MAX_STREAMS_PER_APPEND {
        let reason = format!(
            "has {} elements, more than {MAX_STREAMS_PER_APPEND}",
            streams.len()
        );
        return Err(StoreError::malformed("streams", None, reason));
    }
    let mut once = HashSet::with_capacity(streams.len());
    for (index, stream) in streams.enumerate() {
        if !once.insert(stream) {
            let reason = format!("names {stream:?} again");
            return Err(StoreError::malformed("streams", Some(index), reason));
        }
    }
    Ok(once)
}

fn content(event: &NewEvent) -> Result<(), (&'static str, &'static str)> {
    if event.payload.is_null() {
        return Err(("payloads", "is JSON null"));
    }
    if has_nul(&event.payload) {
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
