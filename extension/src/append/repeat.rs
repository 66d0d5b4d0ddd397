//! Recognising an append that was made before, by the ids of its events.
//!
//! There is no index of ids. They are looked for where the events of the request must be, or are
//! likely to be, if they were written. The positions of an append are consecutive, so one event
//! that is found tells the positions of all others.

use super::appended::Appended;
use super::request::{DeclaredStream, NewEvent, Request};
use crate::error::Error;
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::snapshot::Snapshot;
use crate::tables::Events;
use crate::tables::columns::{events as column, events_by_position, events_by_stream as by_stream};
use eventcore_rules::{ExpectedVersion, UNCHECKED_REPEAT_WINDOW, VersionConflict};
use std::collections::HashMap;
use uuid::Uuid;

/// Returns what the first of these appends returned, if this is a repeat of it.
///
/// `None` if it is not a repeat. SE004 if some of the ids are found, but not all events are as they
/// were sent.
pub fn find(
    events: &Events,
    request: &Request<'_>,
    heads: &[i64],
    conflicts: &[VersionConflict<String>],
) -> Result<Option<Appended>, Error> {
    let exact = written_streams(request).all(|declared| exact_version(declared).is_some());
    // If all versions are expected exactly and all checks hold, the events cannot have been written
    // before.
    if exact && conflicts.is_empty() {
        return Ok(None);
    }
    let Some(ids) = all_ids(request) else {
        return Ok(None);
    };
    let snapshot = Snapshot::latest();
    match first_position(events, request, &ids, &snapshot) {
        Some(first) => compare(events, request, heads, first, &snapshot).map(Some),
        None => Ok(None),
    }
}

/// The ids of the events with their indexes, if the caller gave an id for every event. A client
/// that repeats an append does.
fn all_ids(request: &Request<'_>) -> Option<HashMap<Uuid, usize>> {
    let numbered = request.events.iter().enumerate();
    let ids: HashMap<_, _> = numbered
        .filter_map(|(number, event)| Some((event.id?, number)))
        .collect();
    (!ids.is_empty() && ids.len() == request.events.len()).then_some(ids)
}

/// The position of the first event, derived from the first id that is found.
fn first_position(
    events: &Events,
    request: &Request<'_>,
    ids: &HashMap<Uuid, usize>,
    snapshot: &Snapshot,
) -> Option<i64> {
    let by_stream = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &by_stream, snapshot);
    written_streams(request).find_map(|declared| {
        let stream = Condition::TextEquals(by_stream::STREAM_ID, declared.stream);
        let rows = match exact_version(declared) {
            // With an exact version, the events can only be directly above it.
            Some(base) => {
                let after = Condition::BigintAbove(by_stream::VERSION, base);
                scan.seek(&[stream, after], Direction::Forward);
                declared.adds
            }
            None => {
                scan.seek(&[stream], Direction::Backward);
                UNCHECKED_REPEAT_WINDOW as i64
            }
        };
        (0..rows)
            .map_while(|_| scan.next().map(stored_event))
            .find_map(|StoredEvent { position, event_id }| {
                let number = i64::try_from(*ids.get(&event_id)?).ok()?;
                Some(position - number)
            })
    })
}

/// The position and the id of an event in the table.
struct StoredEvent {
    position: i64,
    event_id: Uuid,
}

fn stored_event(row: Row<'_>) -> StoredEvent {
    StoredEvent {
        position: row.bigint(column::POSITION),
        event_id: row.uuid(column::EVENT_ID),
    }
}

/// Returns what the first append returned, if its events are those of the request.
fn compare(
    events: &Events,
    request: &Request<'_>,
    heads: &[i64],
    first: i64,
    snapshot: &Snapshot,
) -> Result<Appended, Error> {
    let by_position = events.by_position();
    let mut scan = IndexScan::new(&events.table, &by_position, snapshot);
    scan.seek(
        &[Condition::BigintAbove(
            events_by_position::POSITION,
            first - 1,
        )],
        Direction::Forward,
    );
    let mut versions = heads.to_vec();
    let mut added = vec![0; request.streams.len()];
    let mut recorded_at = None;
    let (mut found, mut different) = (Vec::new(), Vec::new());
    for (event, position) in request.events.iter().zip(first..) {
        let row = scan.next();
        let row = row.filter(|row| {
            row.bigint(column::POSITION) == position && Some(row.uuid(column::EVENT_ID)) == event.id
        });
        added[event.stream] += 1;
        let declared = &request.streams[event.stream];
        match &row {
            Some(row) if is_same(row, event, declared, added[event.stream]) => {
                versions[event.stream] = row.bigint(column::VERSION);
                recorded_at.get_or_insert_with(|| row.bigint(column::RECORDED_AT));
                found.extend(event.id);
            }
            Some(_) => different.extend(event.id),
            None => {}
        }
    }
    match recorded_at {
        Some(recorded_at) if found.len() == request.events.len() => Ok(Appended {
            positions: Some((first, first + found.len() as i64 - 1)),
            versions: versions_after_repeat(request, versions),
            recorded_at,
            repeated: true,
        }),
        _ => Err(Error::IdempotencyMismatch {
            event_ids: if different.is_empty() {
                found
            } else {
                different
            },
        }),
    }
}

/// Whether an event with the right id is the one that was sent as the `nth` event of its stream.
fn is_same(row: &Row<'_>, event: &NewEvent<'_>, declared: &DeclaredStream<'_>, nth: i64) -> bool {
    exact_version(declared)
        .is_none_or(|base| row.bigint(column::VERSION) == base.saturating_add(nth))
        && row
            .text(column::STREAM_ID)
            .is_some_and(|text| text.bytes() == declared.stream.bytes())
        && row
            .text(column::EVENT_TYPE)
            .is_some_and(|text| text.bytes() == event.event_type.bytes())
        && row
            .jsonb(column::PAYLOAD)
            .is_some_and(|payload| payload == event.payload)
        && row.jsonb(column::METADATA) == event.metadata
}

/// A stream that was only checked, and not for an exact version, is reported at its current
/// version.
fn versions_after_repeat(request: &Request<'_>, versions: Vec<i64>) -> Vec<i64> {
    let declared = request.streams.iter().zip(versions);
    declared
        .map(|(declared, version)| match exact_version(declared) {
            Some(base) if declared.adds == 0 => base,
            _ => version,
        })
        .collect()
}

/// The streams to which the request adds events.
fn written_streams<'r, 'a>(
    request: &'r Request<'a>,
) -> impl Iterator<Item = &'r DeclaredStream<'a>> {
    request.streams.iter().filter(|declared| declared.adds > 0)
}

/// The version that the caller expects, if it is exact.
fn exact_version(declared: &DeclaredStream<'_>) -> Option<i64> {
    match declared.expected {
        ExpectedVersion::Exactly(_) => declared.expected.to_sql(),
        _ => None,
    }
}
