//! Recognises a repeated append by its event ids, searching in the same places as the extension.

use std::collections::HashMap;

use eventcore_rules::{ExpectedVersion, UNCHECKED_REPEAT_WINDOW, VersionConflict};

use super::log::Log;
use crate::store::{Append, Appended, NewEvent, RecordedEvent, StoreError};
use crate::values::{EventId, Position, StreamId, StreamVersion};

/// If this append is a repeat: what the first one returned. SE004 if some of the ids are found, but
/// not all events as they were sent.
pub(super) fn find(
    log: &Log,
    append: &Append,
    conflicts: &[VersionConflict<StreamId>],
) -> Result<Option<Appended>, StoreError> {
    // If exact versions hold, or the streams are empty, the events cannot be there yet.
    let new = |(stream, expected): &(StreamId, ExpectedVersion)| {
        matches!(expected, ExpectedVersion::Exactly(_)) || log.version(stream).get() == 0
    };
    if conflicts.is_empty() && append.streams.iter().all(new) {
        return Ok(None);
    }
    let written = written(append);
    match first_position(log, append, &written) {
        Some(first) => compare(log, append, &written, first).map(Some),
        None => Ok(None),
    }
}

/// A declared stream that the append writes to.
struct WrittenStream<'a> {
    stream: &'a StreamId,
    /// The exact version that the caller expects.
    base: Option<u64>,
    /// The indexes of its events.
    events: Vec<usize>,
}

fn written(append: &Append) -> Vec<WrittenStream<'_>> {
    let declared = append
        .streams
        .iter()
        .map(|(stream, expected)| WrittenStream {
            stream,
            base: match expected {
                ExpectedVersion::Exactly(base) => Some(*base),
                _ => None,
            },
            events: numbers(append, stream),
        });
    declared
        .filter(|written| !written.events.is_empty())
        .collect()
}

/// The indexes of the events that go to this stream.
fn numbers(append: &Append, stream: &StreamId) -> Vec<usize> {
    let events = append.events.iter().enumerate();
    events
        .filter(|(_, event)| event.stream_id == *stream)
        .map(|(number, _)| number)
        .collect()
}

/// The position of the first event, computed from the first id that is found.
fn first_position(log: &Log, append: &Append, written: &[WrittenStream<'_>]) -> Option<i128> {
    let events = append.events.iter().enumerate();
    let ids: HashMap<EventId, usize> = events.map(|(n, event)| (event.event_id, n)).collect();
    let first = |found: &RecordedEvent| {
        let number = *ids.get(&found.event_id)?;
        Some(i128::from(found.position.get()) - number as i128)
    };
    written.iter().find_map(|written| {
        let mut stored = log.stream(written.stream);
        match written.base {
            // The events can only be right after the expected version.
            Some(base) => {
                let base = usize::try_from(base).unwrap_or(usize::MAX);
                stored.skip(base).take(written.events.len()).find_map(first)
            }
            None => {
                let window = usize::try_from(UNCHECKED_REPEAT_WINDOW).unwrap_or(usize::MAX);
                stored.by_ref().rev().take(window).find_map(first)
            }
        }
    })
}

/// What the first append returned, if its events are the same.
fn compare(
    log: &Log,
    append: &Append,
    written: &[WrittenStream<'_>],
    first: i128,
) -> Result<Appended, StoreError> {
    let (mut found, mut different) = (Vec::new(), Vec::new());
    for (number, sent) in append.events.iter().enumerate() {
        let position = u64::try_from(first + number as i128).unwrap_or(0);
        let stored = log.event(Position::new(position));
        match stored.filter(|stored| stored.event_id == sent.event_id) {
            Some(stored) if is_same(stored, sent, exact_version(written, number)) => {
                found.push(stored);
            }
            Some(_) => different.push(sent.event_id),
            None => {}
        }
    }
    if found.len() < append.events.len() {
        if different.is_empty() {
            different.extend(found.iter().map(|event| event.event_id));
        }
        return Err(StoreError::idempotency_mismatch(different));
    }
    Ok(Appended {
        first_position: found.first().map(|event| event.position),
        last_position: found.last().map(|event| event.position),
        versions: versions(log, append, written, &found),
        recorded_at: found
            .first()
            .map_or(std::time::UNIX_EPOCH, |event| event.recorded_at),
        repeated: true,
    })
}

/// The version that the event at this index must have, if the caller expects an exact version.
fn exact_version(written: &[WrittenStream<'_>], number: usize) -> Option<StreamVersion> {
    written.iter().find_map(|written| {
        let nth = written.events.iter().position(|event| *event == number)?;
        Some(StreamVersion::new(
            written.base?.saturating_add(nth as u64 + 1),
        ))
    })
}

fn is_same(stored: &RecordedEvent, sent: &NewEvent, version: Option<StreamVersion>) -> bool {
    version.is_none_or(|version| stored.version == version)
        && stored.stream_id == sent.stream_id
        && stored.event_type == sent.event_type
        && stored.payload == sent.payload
        && stored.metadata == sent.metadata
}

/// The versions after the first append. A stream that was only checked, and not at an exact
/// version, has its current version.
fn versions(
    log: &Log,
    append: &Append,
    written: &[WrittenStream<'_>],
    found: &[&RecordedEvent],
) -> Vec<StreamVersion> {
    let declared = append.streams.iter();
    declared
        .map(|(stream, expected)| {
            let written = written.iter().find(|written| written.stream == stream);
            match (written, expected) {
                (Some(written), _) => written
                    .events
                    .last()
                    .map_or_else(|| log.version(stream), |last| found[*last].version),
                (None, ExpectedVersion::Exactly(base)) => StreamVersion::new(*base),
                (None, _) => log.version(stream),
            }
        })
        .collect()
}
