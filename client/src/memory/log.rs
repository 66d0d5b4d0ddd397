//! [`Log`]: all events in the order of their positions, with indexes.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::store::{
    Append, Direction, NewEvent, ReadAll, ReadStream, ReadStreams, RecordedEvent, StoreError,
    StreamsRead,
};
use crate::values::{EventType, Position, StreamId, StreamVersion};

#[derive(Default)]
pub(super) struct Log {
    /// The event at position `n` is at `n - 1`.
    events: Vec<RecordedEvent>,
    /// For each stream with an event, its index in `places`.
    streams: HashMap<StreamId, usize>,
    /// For each stream the indexes of its events: version `n` at `n - 1`.
    places: Vec<Vec<usize>>,
}

impl Log {
    pub(super) fn event(&self, position: Position) -> Option<&RecordedEvent> {
        let place = position.get().checked_sub(1)?;
        self.events.get(usize::try_from(place).ok()?)
    }

    /// The events of a stream by version.
    pub(super) fn stream(
        &self,
        stream: &StreamId,
    ) -> impl DoubleEndedIterator<Item = &RecordedEvent> + ExactSizeIterator {
        let places = self.places_of(stream);
        places.iter().map(|place| &self.events[*place])
    }

    pub(super) fn version(&self, stream: &StreamId) -> StreamVersion {
        StreamVersion::new(self.places_of(stream).len() as u64)
    }

    pub(super) fn last_position(&self) -> Position {
        Position::new(self.events.len() as u64)
    }

    pub(super) fn read_stream(&self, read: &ReadStream) -> Vec<RecordedEvent> {
        let mut all = Vec::new();
        let events = self.stream(&read.stream_id);
        let (len, limit) = (events.len(), read.limit);
        match read.direction {
            Direction::Forward => {
                let events = events.skip(clamp(read.after.get(), len));
                copy(events, &read.event_types, limit, &mut all);
            }
            Direction::Backward => {
                let events = events.take(before(read.after.get(), len)).rev();
                copy(events, &read.event_types, limit, &mut all);
            }
        }
        all
    }

    pub(super) fn read_streams(&self, read: &ReadStreams) -> StreamsRead {
        let mut all = Vec::new();
        let versions = read.streams.iter().map(|(stream, after)| {
            let events = self.stream(stream);
            let events_after = clamp(after.get(), events.len());
            let others = all.len();
            let events = events.skip(events_after);
            copy(events, &read.event_types, read.limit, &mut all);
            all[others..].last().map_or(*after, |last| last.version)
        });
        let versions = versions.collect();
        StreamsRead::new(all, versions)
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

    fn places_of(&self, stream: &StreamId) -> &[usize] {
        self.streams
            .get(stream)
            .map_or(&[], |found| &self.places[*found])
    }

    /// The index of a stream in this log, if it has an event.
    pub(super) fn find(&self, stream: &StreamId) -> Option<usize> {
        self.streams.get(stream).copied()
    }

    /// The version of the stream at this index; 0 for `None`.
    pub(super) fn version_of(&self, found: Option<usize>) -> StreamVersion {
        StreamVersion::new(found.map_or(0, |found| self.places[found].len()) as u64)
    }

    /// Fails if this log has never given out so high a position: then the reader comes from another
    /// store.
    pub(super) fn check_reader(&self, after: Position) -> Result<(), StoreError> {
        let last = self.last_position();
        match after > last {
            true => Err(StoreError::diverged(after, last)),
            false => Ok(()),
        }
    }

    pub(super) fn add_stream(&mut self, stream: &StreamId) -> usize {
        let added = self.places.len();
        self.streams.insert(stream.clone(), added);
        self.places.push(Vec::new());
        added
    }

    pub(super) fn push(
        &mut self,
        stream: usize,
        event: &NewEvent,
        append: &Append,
        recorded_at: SystemTime,
    ) {
        let place = self.events.len();
        let stream = &mut self.places[stream];
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

/// Adds at most `limit` events of these types to `all`.
fn copy<'a>(
    events: impl Iterator<Item = &'a RecordedEvent>,
    event_types: &[EventType],
    limit: Option<u32>,
    all: &mut Vec<RecordedEvent>,
) {
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    if event_types.is_empty() {
        // Without a filter their number is known, so the memory is allocated at once.
        all.extend(events.take(limit).cloned());
    } else {
        let wanted = |event: &&RecordedEvent| event_types.contains(&event.event_type);
        all.extend(events.filter(wanted).take(limit).cloned());
    }
}

/// How many of `len` events to skip to get past this version or position.
fn clamp(after: u64, len: usize) -> usize {
    usize::try_from(after).map_or(len, |after| after.min(len))
}

/// How many of `len` events are before this version or position; 0 means the end.
fn before(version: u64, len: usize) -> usize {
    if version == 0 {
        len
    } else {
        clamp(version - 1, len)
    }
}
