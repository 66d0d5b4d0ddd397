//! Appending: checks the declared streams, recognises a repeated append, and writes the events.

use std::time::SystemTime;

use eventcore_rules::VersionConflict;

use super::check::{DeclaredStreams, FEW};
use super::log::Log;
use super::repeat;
use crate::store::{Append, Appended, StoreError};
use crate::values::{Position, StreamId};

/// Writes all events of a well-formed append, or none.
pub(super) fn append(
    log: &mut Log,
    append: &Append,
    declared: &DeclaredStreams<'_>,
) -> Result<Appended, StoreError> {
    // Each stream is looked up once, for the checks and for the writing. A few streams fit on the
    // stack.
    let (mut few, mut many) = ([None; FEW], Vec::new());
    let found = match few.get_mut(..append.streams.len()) {
        Some(few) => few,
        None => {
            many.resize(append.streams.len(), None);
            many.as_mut_slice()
        }
    };
    for ((stream, _), found) in append.streams.iter().zip(found.iter_mut()) {
        *found = log.find(stream);
    }
    let conflicts = conflicts(log, append, found);
    if let Some(first) = repeat::find(log, append, &conflicts)? {
        return Ok(first);
    }
    if !conflicts.is_empty() {
        return Err(StoreError::version_conflict(conflicts));
    }
    Ok(write(log, append, declared, found))
}

/// The declared streams that are not at the expected version.
fn conflicts(
    log: &Log,
    append: &Append,
    found: &[Option<usize>],
) -> Vec<VersionConflict<StreamId>> {
    let mut conflicts = Vec::new();
    for ((stream, expected), found) in append.streams.iter().zip(found) {
        let actual = log.version_of(*found).get();
        if !expected.holds(actual) {
            conflicts.push(VersionConflict {
                stream: stream.clone(),
                expected: *expected,
                actual,
            });
        }
    }
    conflicts
}

fn write(
    log: &mut Log,
    append: &Append,
    declared: &DeclaredStreams<'_>,
    found: &mut [Option<usize>],
) -> Appended {
    let recorded_at = SystemTime::now();
    let before = log.last_position();
    for event in &append.events {
        // `check::append` made sure that every event goes to a declared stream.
        if let Some(place) = declared.place(&event.stream_id) {
            let stream = *found[place].get_or_insert_with(|| log.add_stream(&event.stream_id));
            log.push(stream, event, append, recorded_at);
        }
    }
    let after = log.last_position();
    let written = after > before;
    Appended {
        first_position: written.then(|| Position::new(before.get() + 1)),
        last_position: written.then_some(after),
        versions: found.iter().map(|found| log.version_of(*found)).collect(),
        recorded_at,
        repeated: false,
    }
}
