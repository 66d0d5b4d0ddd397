//! Recognising an append that was made before, by the ids of its events.

use super::Appended;
use super::request::{NewEvent, Request};
use crate::catalog::{Events, column};
use crate::error::Error;
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::snapshot::Snapshot;
use eventcore_rules::{ExpectedVersion, VersionConflict};
use uuid::Uuid;

const BY_ID: i16 = 1;

/// Where an event of the request was found.
struct Found {
    position: i64,
    recorded_at: i64,
}

/// What the first of these appends returned, if this is a repeat of it.
///
/// `None` when it is not; SE004 when some of the ids are in use, but not by these events.
pub fn find(
    events: &Events,
    request: &Request<'_>,
    heads: &[i64],
    conflicts: &[VersionConflict<String>],
) -> Result<Option<Appended>, Error> {
    let Some(ids) = all_ids(request) else {
        return Ok(None);
    };
    let exact = request.streams.iter().all(|declared| {
        declared.adds == 0 || matches!(declared.expected, ExpectedVersion::Exactly(_))
    });
    // With exact versions that all hold, the events cannot be there yet.
    if exact && conflicts.is_empty() {
        return Ok(None);
    }
    Ok(look_up(events, request, &ids)?.map(|found| summary(request, heads, &found)))
}

/// The ids of the events, if the caller gave all of them; the client that repeats an append does.
fn all_ids(request: &Request<'_>) -> Option<Vec<Uuid>> {
    let ids: Vec<Uuid> = request.events.iter().map_while(|event| event.id).collect();
    (!ids.is_empty() && ids.len() == request.events.len()).then_some(ids)
}

/// Where the events are, if all of them are there just as the caller sent them.
fn look_up(
    events: &Events,
    request: &Request<'_>,
    ids: &[Uuid],
) -> Result<Option<Vec<Found>>, Error> {
    let snapshot = Snapshot::latest();
    let by_id = events.by_id();
    let mut scan = IndexScan::new(&events.table, &by_id, &snapshot);
    let mut added = vec![0; request.streams.len()];
    let mut tally = Tally::default();
    for (event, id) in request.events.iter().zip(ids) {
        let declared = &request.streams[event.stream];
        added[event.stream] += 1;
        let version = match declared.expected {
            ExpectedVersion::Exactly(_) => declared
                .expected
                .to_sql()
                .map(|base| base.saturating_add(added[event.stream])),
            _ => None,
        };
        scan.seek(&[Condition::UuidEquals(BY_ID, id)], Direction::Forward);
        tally.add(
            scan.next().as_ref(),
            event,
            declared.stream.bytes(),
            version,
            *id,
        );
    }
    tally.verdict()
}

/// What has been found of the events so far.
#[derive(Default)]
struct Tally {
    same: Vec<Found>,
    missing: usize,
    different: Vec<Uuid>,
    matched: Vec<Uuid>,
}

impl Tally {
    /// `version` is where the event has to be, if the caller expected that exactly.
    fn add(
        &mut self,
        row: Option<&Row<'_>>,
        event: &NewEvent<'_>,
        stream: &[u8],
        version: Option<i64>,
        id: Uuid,
    ) {
        let is_there = |row: &Row<'_>| {
            is_same(row, event, stream)
                && version.is_none_or(|version| row.bigint(column::VERSION) == version)
        };
        match row {
            None => self.missing += 1,
            Some(row) if is_there(row) => {
                self.matched.push(id);
                self.same.push(Found {
                    position: row.bigint(column::POSITION),
                    recorded_at: row.bigint(column::RECORDED_AT),
                });
            }
            Some(_) => self.different.push(id),
        }
    }

    /// A repeat only if every event is there with the same content.
    fn verdict(self) -> Result<Option<Vec<Found>>, Error> {
        if !self.different.is_empty() {
            return Err(Error::IdempotencyMismatch {
                event_ids: self.different,
            });
        }
        if self.same.is_empty() {
            return Ok(None);
        }
        if self.missing > 0 {
            return Err(Error::IdempotencyMismatch {
                event_ids: self.matched,
            });
        }
        Ok(Some(self.same))
    }
}

fn is_same(row: &Row<'_>, event: &NewEvent<'_>, stream: &[u8]) -> bool {
    row.text(column::STREAM_ID)
        .is_some_and(|text| text.bytes() == stream)
        && row
            .text(column::EVENT_TYPE)
            .is_some_and(|text| text.bytes() == event.event_type.bytes())
        && row
            .jsonb(column::PAYLOAD)
            .is_some_and(|payload| payload == event.payload)
        && row.jsonb(column::METADATA) == event.metadata
}

/// What the first append returned. A stream that was only checked, and not exactly, is reported
/// where it is now.
fn summary(request: &Request<'_>, heads: &[i64], found: &[Found]) -> Appended {
    let versions =
        request
            .streams
            .iter()
            .zip(heads)
            .map(|(declared, head)| match declared.expected {
                ExpectedVersion::Exactly(_) => declared
                    .expected
                    .to_sql()
                    .unwrap_or(*head)
                    .saturating_add(declared.adds),
                _ => *head,
            });
    let positions = || found.iter().map(|found| found.position);
    Appended {
        positions: positions().min().zip(positions().max()),
        versions: versions.collect(),
        recorded_at: found.first().map_or(0, |found| found.recorded_at),
        repeated: true,
    }
}
