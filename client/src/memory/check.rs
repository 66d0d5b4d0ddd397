//! What makes an append or a read malformed, whatever the store holds.

use std::collections::HashSet;

use eventcore_rules::{MAX_FILTER_ELEMENTS, MAX_STREAMS_PER_APPEND};

use crate::{Append, EventType, Filter, StoreError, StreamId, sendable};

/// Checks an append in the order of the store on PostgreSQL: what cannot be sent, then its streams, then each
/// event, then that no id stands twice. Names the arguments as the extension does.
pub(super) fn append(append: &Append) -> Result<(), StoreError> {
    // First, as where there is a connection to send it on.
    sendable::check(append)?;
    if append.streams.is_empty() {
        return Err(StoreError::malformed("streams", None, "is empty"));
    }
    let declared = streams_once(append.streams.iter().map(|(stream, _)| stream))?;
    let undeclared = append
        .events
        .iter()
        .find(|event| !declared.contains(&event.stream_id));
    if let Some(event) = undeclared {
        return Err(StoreError::undeclared_stream(event.stream_id.as_str()));
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

/// Checks that a filter has no more elements than a store looks through.
pub(super) fn filter(filter: &Filter) -> Result<(), StoreError> {
    not_too_many("stream_prefixes", filter.stream_prefixes.len())?;
    types(&filter.event_types)
}

/// The same for a read that is filtered by event types alone.
pub(super) fn types(types: &[EventType]) -> Result<(), StoreError> {
    not_too_many("event_types", types.len())
}

fn not_too_many(argument: &str, elements: usize) -> Result<(), StoreError> {
    if elements <= MAX_FILTER_ELEMENTS {
        return Ok(());
    }
    let reason = format!("has {elements} elements, more than {MAX_FILTER_ELEMENTS}");
    Err(StoreError::malformed(argument, None, reason))
}
