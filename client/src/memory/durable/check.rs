//! What a durable subscription refuses as malformed. Names the arguments like the extension.

use std::time::Duration;

use eventcore_rules::{MAX_FILTER_ELEMENTS, check_name};

use super::start;
use crate::durable::SubscriptionDefinition;
use crate::store::StoreError;
use crate::values::{Position, SubscriptionName};

/// The most events that one poll may request.
const MAX_EVENTS_PER_POLL: u32 = 10_000;

/// Checks a definition and returns the position where the subscription starts.
pub(super) fn definition(
    definition: &SubscriptionDefinition,
    safe: Position,
) -> Result<Position, StoreError> {
    let prefixes = &definition.filter.stream_prefixes;
    let types = &definition.filter.event_types;
    for (argument, elements) in [
        ("stream_prefixes", prefixes.len()),
        ("event_types", types.len()),
    ] {
        if elements > MAX_FILTER_ELEMENTS {
            let reason = format!("must have 1 to {MAX_FILTER_ELEMENTS} elements");
            return Err(StoreError::malformed(argument, None, reason));
        }
    }
    for prefix in prefixes {
        check_name(prefix.as_bytes())
            .map_err(|reason| StoreError::malformed("stream_prefixes", None, reason.to_string()))?;
    }
    if definition.lease < Duration::from_millis(1) {
        return Err(StoreError::malformed(
            "lease",
            None,
            "must be a time above 0",
        ));
    }
    let start = start(definition.start, safe);
    not_past("start_from", start, safe)?;
    Ok(start)
}

/// Checks that an existing subscription has the same definition as the one to be created.
pub(super) fn same(
    name: &SubscriptionName,
    existing: &SubscriptionDefinition,
    wanted: &SubscriptionDefinition,
) -> Result<(), StoreError> {
    if *existing == wanted.clone().start(existing.start) {
        return Ok(());
    }
    let reason = format!("names an existing subscription with a different definition: {name:?}");
    Err(StoreError::malformed("name", None, reason))
}

pub(super) fn not_past(
    argument: &str,
    position: Position,
    safe: Position,
) -> Result<(), StoreError> {
    if position <= safe {
        return Ok(());
    }
    let reason = format!("is above the safe position, which is {safe}");
    Err(StoreError::malformed(argument, None, reason))
}

pub(super) fn max_events(max_events: u32) -> Result<(), StoreError> {
    if (1..=MAX_EVENTS_PER_POLL).contains(&max_events) {
        return Ok(());
    }
    let reason = format!("must be between 1 and {MAX_EVENTS_PER_POLL}");
    Err(StoreError::malformed("max_count", None, reason))
}

/// A lease can never have held events that were not read yet.
pub(super) fn delivered(positions: &[Position], read: Position) -> Result<(), StoreError> {
    let never = |position: &Position| *position > read || *position == Position::START;
    match positions.iter().position(never) {
        None => Ok(()),
        Some(index) => {
            let reason = "has not been delivered";
            Err(StoreError::malformed("positions", Some(index), reason))
        }
    }
}
