//! The model: a list of events, and what follows from it.

use std::collections::HashSet;

use eventcore::{
    Append, Appended, Direction, EventId, ExpectedVersion, NewEvent, ReadAll, ReadStream, StreamId,
    StreamVersion, VersionConflict,
};

/// What the store should contain, in the order of positions.
#[derive(Default)]
pub(super) struct Held {
    /// Each event with its stream's version after it.
    pub(super) events: Vec<(NewEvent, u64)>,
    /// The appends that were written, with their answers.
    pub(super) appends: Vec<(Append, Appended)>,
}

/// What a store may answer to an append. If an append has several faults, a store may report any of
/// them.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Written(Vec<StreamVersion>),
    Repeated(Appended),
    Conflicts(Vec<VersionConflict<StreamId>>),
    Mismatch(EventId),
    Faults { malformed: bool, undeclared: bool },
}

impl Held {
    pub(super) fn version(&self, stream: &StreamId) -> u64 {
        let of_stream = self
            .events
            .iter()
            .filter(|(event, _)| event.stream_id == *stream);
        of_stream.count() as u64
    }

    /// What the store should answer to an append whose ids are new.
    pub(super) fn judge(&self, append: &Append) -> Answer {
        if let Some(faults) = faults(append) {
            return faults;
        }
        let conflicts = self.conflicts(append);
        if !conflicts.is_empty() {
            return Answer::Conflicts(conflicts);
        }
        let version = |stream: &StreamId| {
            let new = append
                .events
                .iter()
                .filter(|event| event.stream_id == *stream);
            StreamVersion::new(self.version(stream) + new.count() as u64)
        };
        Answer::Written(
            append
                .streams
                .iter()
                .map(|(stream, _)| version(stream))
                .collect(),
        )
    }

    /// What the store should answer to an append that it has written before.
    pub(super) fn judge_repeat(&self, append: &Append, first: &Appended) -> Answer {
        let declared = append.streams.iter().zip(&first.versions);
        let versions = declared.map(|((stream, expected), version)| {
            let written = append.events.iter().any(|event| event.stream_id == *stream);
            match expected {
                _ if written => *version,
                ExpectedVersion::Exactly(base) => StreamVersion::new(*base),
                _ => StreamVersion::new(self.version(stream)),
            }
        });
        Answer::Repeated(Appended {
            versions: versions.collect(),
            repeated: true,
            ..first.clone()
        })
    }

    pub(super) fn write(&mut self, append: &Append, appended: &Appended) {
        for event in &append.events {
            let version = self.version(&event.stream_id) + 1;
            self.events.push((event.clone(), version));
        }
        if !append.events.is_empty() {
            self.appends.push((append.clone(), appended.clone()));
        }
    }

    pub(super) fn read_stream(&self, read: &ReadStream) -> Vec<(EventId, u64)> {
        let events = self.events.iter().filter(|(event, version)| {
            event.stream_id == read.stream_id
                && starts(read.direction, *version, read.after.get())
                && (read.event_types.is_empty() || read.event_types.contains(&event.event_type))
        });
        ordered(events, read.direction, read.limit)
    }

    /// `after` is a place in the list, counted from 1; the position of that event is in `read`.
    pub(super) fn read_all(&self, read: &ReadAll, after: usize) -> Vec<(EventId, u64)> {
        let prefixes = &read.filter.stream_prefixes;
        let types = &read.filter.event_types;
        let events = self.events.iter().enumerate();
        let events = events.filter(|(index, (event, _))| {
            let id = event.stream_id.as_str();
            starts(read.direction, *index as u64 + 1, after as u64)
                && prefixes.iter().any(|prefix| id.starts_with(prefix))
                && (types.is_empty() || types.contains(&event.event_type))
        });
        let events = events.map(|(_, held)| held);
        ordered(events, read.direction, Some(read.limit))
    }

    fn conflicts(&self, append: &Append) -> Vec<VersionConflict<StreamId>> {
        let declared = append
            .streams
            .iter()
            .map(|(stream, expected)| VersionConflict {
                stream: stream.clone(),
                expected: *expected,
                actual: self.version(stream),
            });
        declared
            .filter(|conflict| !conflict.expected.holds(conflict.actual))
            .collect()
    }
}

/// What is wrong with an append, whatever the store contains.
fn faults(append: &Append) -> Option<Answer> {
    let streams: HashSet<_> = append.streams.iter().map(|(stream, _)| stream).collect();
    let ids: HashSet<_> = append.events.iter().map(|event| event.event_id).collect();
    let malformed = append.streams.is_empty()
        || streams.len() < append.streams.len()
        || ids.len() < append.events.len()
        || append
            .events
            .iter()
            .any(|event| event.payload == serde_json::Value::Null);
    let undeclared = append
        .events
        .iter()
        .any(|event| !streams.contains(&event.stream_id));
    (malformed || undeclared).then_some(Answer::Faults {
        malformed,
        undeclared,
    })
}

/// Whether a read that starts after `after` includes this version or place.
fn starts(direction: Direction, at: u64, after: u64) -> bool {
    match direction {
        Direction::Forward => at > after,
        Direction::Backward => after == 0 || at < after,
    }
}

fn ordered<'a>(
    events: impl DoubleEndedIterator<Item = &'a (NewEvent, u64)>,
    direction: Direction,
    limit: Option<u32>,
) -> Vec<(EventId, u64)> {
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let shown = |(event, version): &(NewEvent, u64)| (event.event_id, *version);
    match direction {
        Direction::Forward => events.take(limit).map(shown).collect(),
        Direction::Backward => events.rev().take(limit).map(shown).collect(),
    }
}
