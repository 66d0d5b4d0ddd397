//! All events in the order of their positions, and the indexes on them.

use std::collections::HashMap;
use std::time::SystemTime;

use eventcore_rules::VersionConflict;

use super::{check, repeat};
use crate::{
    Append, Appended, Direction, NewEvent, Position, ReadAll, ReadStream, ReadStreams,
    RecordedEvent, StoreError, StreamId, StreamVersion, StreamsRead,
};

#[derive(Default)]
pub(super) struct Log {
    /// The event at position `n` is at `n - 1`.
    events: Vec<RecordedEvent>,
    /// For each stream, where its events are: version `n` at `n - 1`.
    streams: HashMap<StreamId, Vec<usize>>,
}

impl Log {
    pub(super) fn append(&mut self, append: &Append) -> Result<Appended, StoreError> {
        check::append(append)?;
        let conflicts = self.conflicts(append);
        if let Some(first) = repeat::find(self, append, &conflicts)? {
            return Ok(first);
        }
        if !conflicts.is_empty() {
            return Err(StoreError::version_conflict(conflicts));
        }
        Ok(self.write(append))
    }

    pub(super) fn event(&self, position: Position) -> Option<&RecordedEvent> {
        let place = position.get().checked_sub(1)?;
        self.events.get(usize::try_from(place).ok()?)
    }

    /// The events of a stream, in their order.
    pub(super) fn stream(
        &self,
        stream: &StreamId,
    ) -> impl DoubleEndedIterator<Item = &RecordedEvent> {
        let places = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        places.iter().map(|place| &self.events[*place])
    }

    pub(super) fn version(&self, stream: &StreamId) -> StreamVersion {
        StreamVersion::new(self.streams.get(stream).map_or(0, Vec::len) as u64)
    }

    pub(super) fn last_position(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    pub(super) fn read_stream(&self, read: &ReadStream) -> Vec<RecordedEvent> {
        let places = self
            .streams
            .get(&read.stream_id)
            .map_or(&[][..], Vec::as_slice);
        let events = places.iter().map(|place| &self.events[*place]);
        let wanted = |event: &&RecordedEvent| {
            read.event_types.is_empty() || read.event_types.contains(&event.event_type)
        };
        let limit = read.limit.map_or(usize::MAX, |limit| limit as usize);
        match read.direction {
            Direction::Forward => {
                let after = clamp(read.after.get(), places.len());
                events
                    .skip(after)
                    .filter(wanted)
                    .take(limit)
                    .cloned()
                    .collect()
            }
            Direction::Backward => {
                let before = before(read.after.get(), places.len());
                events
                    .take(before)
                    .rev()
                    .filter(wanted)
                    .take(limit)
                    .cloned()
                    .collect()
            }
        }
    }

    pub(super) fn read_streams(&self, read: &ReadStreams) -> StreamsRead {
        let mut all = StreamsRead::default();
        for (stream, after) in &read.streams {
            let mut one = ReadStream::new(stream.clone()).after(*after);
            one.limit = read.limit;
            one.event_types = read.event_types.clone();
            let events = self.read_stream(&one);
            all.versions
                .push(events.last().map_or(*after, |last| last.version));
            all.events.extend(events);
        }
        all
    }

    pub(super) fn read_all(&self, read: &ReadAll) -> Vec<RecordedEvent> {
        let wanted = |event: &&RecordedEvent| read.filter.matches(event);
        let limit = read.limit as usize;
        match read.direction {
            Direction::Forward => {
                let after = clamp(read.after.get(), self.events.len());
                self.events[after..]
                    .iter()
                    .filter(wanted)
                    .take(limit)
                    .cloned()
                    .collect()
            }
            Direction::Backward => {
                let before = before(read.after.get(), self.events.len());
                self.events[..before]
                    .iter()
                    .rev()
                    .filter(wanted)
                    .take(limit)
                    .cloned()
                    .collect()
            }
        }
    }

    fn conflicts(&self, append: &Append) -> Vec<VersionConflict<StreamId>> {
        let checks = append
            .streams
            .iter()
            .map(|(stream, expected)| VersionConflict {
                stream: stream.clone(),
                expected: *expected,
                actual: self.version(stream).get(),
            });
        checks
            .filter(|check| !check.expected.holds(check.actual))
            .collect()
    }

    fn write(&mut self, append: &Append) -> Appended {
        let recorded_at = SystemTime::now();
        let before = self.last_position();
        for event in &append.events {
            self.push(event, append, recorded_at);
        }
        let after = self.last_position();
        let written = after > before;
        Appended {
            first_position: written.then(|| Position::new(before.get() + 1)),
            last_position: written.then_some(after),
            versions: append
                .streams
                .iter()
                .map(|(stream, _)| self.version(stream))
                .collect(),
            recorded_at,
            repeated: false,
        }
    }

    fn push(&mut self, event: &NewEvent, append: &Append, recorded_at: SystemTime) {
        let place = self.events.len();
        let stream = self.streams.entry(event.stream_id.clone()).or_default();
        stream.push(place);
        self.events.push(RecordedEvent {
            position: Position::new(place as u64 + 1),
            stream_id: event.stream_id.clone(),
            version: StreamVersion::new(stream.len() as u64),
            event_id: event.event_id,
            event_type: event.event_type.clone(),
            payload: event.payload.clone(),
            metadata: event.metadata.clone(),
            correlation_id: append.correlation_id,
            causation_id: append.causation_id,
            recorded_at,
        });
    }
}

/// How many of `len` events to skip to get after this version or position.
fn clamp(after: u64, len: usize) -> usize {
    usize::try_from(after).map_or(len, |after| after.min(len))
}

/// How many of `len` events are before this version or position; 0 stands for the end.
fn before(version: u64, len: usize) -> usize {
    if version == 0 {
        len
    } else {
        clamp(version - 1, len)
    }
}
