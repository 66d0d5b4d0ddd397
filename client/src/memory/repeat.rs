//! Recognising an append that was made before, by the ids of its events, as the extension does.

use eventcore_rules::{ExpectedVersion, VersionConflict};

use super::log::Log;
use crate::{
    Append, Appended, EventId, NewEvent, RecordedEvent, StoreError, StreamId, StreamVersion,
};

/// What the first of these appends returned, if this is a repeat of it. SE004 when some of the ids are
/// in use, but not by these events.
pub(super) fn find(
    log: &Log,
    append: &Append,
    conflicts: &[VersionConflict<StreamId>],
) -> Result<Option<Appended>, StoreError> {
    let exact = append.streams.iter().all(|(stream, expected)| {
        matches!(expected, ExpectedVersion::Exactly(_)) || added(append, stream) == 0
    });
    // With exact versions that all hold, the events cannot be there yet.
    if exact && conflicts.is_empty() {
        return Ok(None);
    }
    let mut tally = Tally::default();
    for (index, event) in append.events.iter().enumerate() {
        tally.add(
            log.event(event.event_id),
            event,
            exact_version(append, index),
        );
    }
    Ok(tally.verdict()?.map(|found| summary(log, append, &found)))
}

/// Where the event with this index has to be, if the caller expected that exactly.
fn exact_version(append: &Append, index: usize) -> Option<StreamVersion> {
    let stream = &append.events[index].stream_id;
    let (_, expected) = append
        .streams
        .iter()
        .find(|(declared, _)| declared == stream)?;
    let ExpectedVersion::Exactly(base) = expected else {
        return None;
    };
    let up_to_this = append.events[..=index]
        .iter()
        .filter(|event| event.stream_id == *stream);
    Some(StreamVersion::new(
        base.saturating_add(up_to_this.count() as u64),
    ))
}

/// What has been found of the events so far.
#[derive(Default)]
struct Tally<'a> {
    same: Vec<&'a RecordedEvent>,
    missing: usize,
    different: Vec<EventId>,
}

impl<'a> Tally<'a> {
    fn add(
        &mut self,
        found: Option<&'a RecordedEvent>,
        event: &NewEvent,
        version: Option<StreamVersion>,
    ) {
        let is_there = |found: &RecordedEvent| {
            is_same(found, event) && version.is_none_or(|version| found.version == version)
        };
        match found {
            None => self.missing += 1,
            Some(found) if is_there(found) => self.same.push(found),
            Some(_) => self.different.push(event.event_id),
        }
    }

    /// A repeat only if every event is there with the same content.
    fn verdict(self) -> Result<Option<Vec<&'a RecordedEvent>>, StoreError> {
        if !self.different.is_empty() {
            return Err(StoreError::idempotency_mismatch(self.different));
        }
        if self.same.is_empty() {
            return Ok(None);
        }
        if self.missing > 0 {
            let matched = self.same.iter().map(|event| event.event_id).collect();
            return Err(StoreError::idempotency_mismatch(matched));
        }
        Ok(Some(self.same))
    }
}

fn is_same(stored: &RecordedEvent, sent: &NewEvent) -> bool {
    stored.stream_id == sent.stream_id
        && stored.event_type == sent.event_type
        && stored.payload == sent.payload
        && stored.metadata == sent.metadata
}

/// What the first append returned. A stream that was only checked, and not exactly, is reported where
/// it is now.
fn summary(log: &Log, append: &Append, found: &[&RecordedEvent]) -> Appended {
    let versions = append
        .streams
        .iter()
        .map(|(stream, expected)| match expected {
            ExpectedVersion::Exactly(base) => {
                StreamVersion::new(base.saturating_add(added(append, stream)))
            }
            _ => log.version(stream),
        });
    let positions = || found.iter().map(|event| event.position);
    Appended {
        first_position: positions().min(),
        last_position: positions().max(),
        versions: versions.collect(),
        recorded_at: found
            .first()
            .map_or(std::time::UNIX_EPOCH, |event| event.recorded_at),
        repeated: true,
    }
}

/// How many events of the append go to this stream.
fn added(append: &Append, stream: &StreamId) -> u64 {
    append
        .events
        .iter()
        .filter(|event| event.stream_id == *stream)
        .count() as u64
}
