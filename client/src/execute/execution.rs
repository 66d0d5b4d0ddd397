//! [`Execution`]: what an execution did.

use std::time::SystemTime;

use eventcore_rules::ExpectedVersion;

use crate::store::{Append, Appended};
use crate::values::{
    CausationId, CorrelationId, EventId, EventType, Position, StreamId, StreamVersion,
};

/// What an execution did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// The events that it wrote, in the order of their positions.
    pub written: Vec<WrittenEvent>,
    /// Each stream that was read, declared ones first, with its version after the execution.
    pub versions: Vec<(StreamId, StreamVersion)>,
    /// When the store recorded the events, by its clock; `None` if the command wrote none.
    pub recorded_at: Option<SystemTime>,
    /// How many attempts were made, including the last.
    pub attempts: u32,
    /// The correlation id of the events.
    pub correlation_id: CorrelationId,
    /// The causation id of the events.
    pub causation_id: CausationId,
}

/// Where an event was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WrittenEvent {
    /// The stream that it is in.
    pub stream_id: StreamId,
    /// The version that it brought its stream to.
    pub version: StreamVersion,
    /// Its place among all events of the store.
    pub position: Position,
    /// Its identity.
    pub event_id: EventId,
    /// The name that it is stored under.
    pub event_type: EventType,
}

impl Execution {
    /// Whether events were written.
    pub fn wrote(&self) -> bool {
        !self.written.is_empty()
    }

    /// The position of the first event; `None` if the command wrote none.
    pub fn first_position(&self) -> Option<Position> {
        self.written.first().map(|event| event.position)
    }

    /// The position of the last event; `None` if the command wrote none. A projection that has
    /// reached it shows what the command did.
    pub fn last_position(&self) -> Option<Position> {
        self.written.last().map(|event| event.position)
    }

    /// The version, after the execution, of a stream that was read.
    pub fn version_of(&self, stream: &StreamId) -> Option<StreamVersion> {
        self.versions
            .iter()
            .find(|(id, _)| id == stream)
            .map(|(_, version)| *version)
    }
}

/// The events of an append, as many as there are places: for each its stream, version and position.
pub(super) fn written(append: Append, places: Vec<Place>) -> Vec<WrittenEvent> {
    let events = append.events.into_iter().zip(places);
    events
        .map(|(event, (_, version, position))| WrittenEvent {
            version: StreamVersion::new(version),
            stream_id: event.stream_id,
            position,
            event_id: event.event_id,
            event_type: event.event_type,
        })
        .collect()
}

/// Where an event was written: the index of its stream in the append, its version and its position.
pub(super) type Place = (usize, u64, Position);

/// Where the first `count` events of an append were written. All their streams were expected at exact
/// versions. So the positions are consecutive, and so are the versions within each stream.
pub(super) fn places(append: &Append, appended: &Appended, count: usize) -> Vec<Place> {
    let Some(first) = appended.first_position else {
        return Vec::new();
    };
    let mut versions: Vec<_> = append
        .streams
        .iter()
        .map(|(_, expected)| at(expected))
        .collect();
    let mut place = 0;
    let events = append.events.iter().take(count).zip(first.get()..);
    events
        .map(|(event, position)| {
            place = find(&append.streams, &event.stream_id, place);
            let version = versions.get_mut(place).map_or(0, |version| {
                *version += 1;
                *version
            });
            (place, version, Position::new(position))
        })
        .collect()
}

fn at(expected: &ExpectedVersion) -> u64 {
    match expected {
        ExpectedVersion::Exactly(version) => *version,
        _ => 0,
    }
}

/// The index of the stream. The search starts at the index of the previous event's stream, because
/// events often come in the order of their streams.
fn find(streams: &[(StreamId, ExpectedVersion)], wanted: &StreamId, from: usize) -> usize {
    let places = (from..streams.len()).chain(0..from);
    let mut found = places.filter(|place| streams[*place].0 == *wanted);
    found.next().unwrap_or(streams.len())
}
