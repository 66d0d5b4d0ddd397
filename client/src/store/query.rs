//! What to read: one stream, several streams in one snapshot, or all events by position.

use super::event::Event;
use super::stored_event::RecordedEvent;
use crate::values::{EventType, Position, StreamId, StreamVersion};

/// The direction of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The oldest first.
    #[default]
    Forward,
    /// The newest first.
    Backward,
}

/// A read of one stream. By default all its events, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadStream {
    /// The stream.
    pub stream_id: StreamId,
    /// Forward: only events after this version. Backward: only events before it; 0 means the end of
    /// the stream.
    pub after: StreamVersion,
    /// The most events to return; `None` for all.
    pub limit: Option<u32>,
    /// The direction of the read.
    pub direction: Direction,
    /// Only events of these types; if empty, all events.
    pub event_types: Vec<EventType>,
    /// Reads from the primary, not from a standby, which may be slightly behind.
    pub up_to_date: bool,
}

/// A read of several streams in one snapshot. By default all their events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadStreams {
    /// The streams, each once, with the version after which to start.
    pub streams: Vec<(StreamId, StreamVersion)>,
    /// The most events to return of each stream; `None` for all.
    pub limit: Option<u32>,
    /// Only events of these types; if empty, all events.
    pub event_types: Vec<EventType>,
    /// Reads from the primary, not from a standby, which may be slightly behind.
    pub up_to_date: bool,
}

/// The result of reading several streams.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct StreamsRead {
    /// The events, in the order of [`ReadStreams::streams`], then by version.
    pub events: Vec<RecordedEvent>,
    /// How far each stream was read, in the order of [`ReadStreams::streams`]: the version of its
    /// last returned event, or the version after which the read started. Without a limit and a
    /// filter this is the stream's version in the snapshot.
    pub versions: Vec<StreamVersion>,
}

/// A read of all events by position, up to the safe position. By default the first 1,000.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadAll {
    /// Forward: only events after this position. Backward: only events before it; 0 means the end.
    pub after: Position,
    /// The most events to return.
    pub limit: u32,
    /// The direction of the read.
    pub direction: Direction,
    /// Only these events.
    pub filter: Filter,
}

/// Which events to read. By default all. A store refuses a filter with more than 1,000 prefixes or
/// more than 1,000 event types (SE003).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Only events of streams whose ids start with one of these; if empty, of all streams.
    pub stream_prefixes: Vec<String>,
    /// Only events of these types; if empty, of all types.
    pub event_types: Vec<EventType>,
}

impl ReadStream {
    /// A read of all events of this stream.
    pub fn new(stream_id: StreamId) -> Self {
        Self {
            stream_id,
            after: StreamVersion::EMPTY,
            limit: None,
            direction: Direction::Forward,
            event_types: Vec::new(),
            up_to_date: false,
        }
    }

    /// Reads everything that is committed by now, even if the store otherwise reads from a standby.
    #[must_use]
    pub fn up_to_date(mut self) -> Self {
        self.up_to_date = true;
        self
    }

    /// Starts after this version.
    #[must_use]
    pub fn after(mut self, version: StreamVersion) -> Self {
        self.after = version;
        self
    }

    /// Returns at most this many events.
    #[must_use]
    pub fn limit(mut self, events: u32) -> Self {
        self.limit = Some(events);
        self
    }

    /// Reads the newest first.
    #[must_use]
    pub fn backward(mut self) -> Self {
        self.direction = Direction::Backward;
        self
    }

    /// Reads only events of these types.
    #[must_use]
    pub fn event_types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.event_types = types.into_iter().collect();
        self
    }
}

impl ReadStreams {
    /// A read of all events of these streams.
    pub fn new(streams: impl IntoIterator<Item = StreamId>) -> Self {
        Self {
            streams: streams
                .into_iter()
                .map(|id| (id, StreamVersion::EMPTY))
                .collect(),
            ..Self::default()
        }
    }

    /// Reads everything that is committed by now, even if the store otherwise reads from a standby.
    #[must_use]
    pub fn up_to_date(mut self) -> Self {
        self.up_to_date = true;
        self
    }

    /// Adds a stream to be read after a version.
    #[must_use]
    pub fn stream_after(mut self, stream_id: StreamId, version: StreamVersion) -> Self {
        self.streams.push((stream_id, version));
        self
    }

    /// Returns at most this many events of each stream.
    #[must_use]
    pub fn limit(mut self, events: u32) -> Self {
        self.limit = Some(events);
        self
    }

    /// Reads only events of these types.
    #[must_use]
    pub fn event_types(mut self, types: impl IntoIterator<Item = EventType>) -> Self {
        self.event_types = types.into_iter().collect();
        self
    }
}

impl StreamsRead {
    /// The answer of a store: the events in the order of the streams, then by version, and how far
    /// each stream was read.
    pub fn new(events: Vec<RecordedEvent>, versions: Vec<StreamVersion>) -> Self {
        Self { events, versions }
    }
}

impl ReadAll {
    /// How many events a read returns by default at most.
    pub const DEFAULT_LIMIT: u32 = 1_000;

    /// A read that starts with the first event.
    pub fn new() -> Self {
        Self {
            after: Position::START,
            limit: Self::DEFAULT_LIMIT,
            direction: Direction::Forward,
            filter: Filter::default(),
        }
    }

    /// Starts after this position.
    #[must_use]
    pub fn after(mut self, position: Position) -> Self {
        self.after = position;
        self
    }

    /// Returns at most this many events.
    #[must_use]
    pub fn limit(mut self, events: u32) -> Self {
        self.limit = events;
        self
    }

    /// Reads the newest first.
    #[must_use]
    pub fn backward(mut self) -> Self {
        self.direction = Direction::Backward;
        self
    }

    /// Reads only these events.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }
}

impl Default for ReadAll {
    fn default() -> Self {
        Self::new()
    }
}

impl Filter {
    /// Every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Only events of streams whose ids start with this prefix. May be called several times; each
    /// prefix adds to the others.
    #[must_use]
    pub fn stream_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stream_prefixes.push(prefix.into());
        self
    }

    /// Only events of this type. May be called several times; each type adds to the others.
    #[must_use]
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_types.push(event_type);
        self
    }

    /// Only events of the types that `E` knows, including old types that it converts. Adds to the
    /// types given otherwise. If `E` does not list its types, this changes nothing.
    #[must_use]
    pub fn events_of<E: Event>(mut self) -> Self {
        // A name that is not a valid event type cannot occur in a store.
        let types = E::event_types().iter().filter_map(|name| name.parse().ok());
        self.event_types.extend(types);
        self
    }

    /// Whether this event matches the filter.
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        let stream = event.stream_id.as_str();
        (self.stream_prefixes.is_empty()
            || self
                .stream_prefixes
                .iter()
                .any(|prefix| stream.starts_with(prefix.as_str())))
            && (self.event_types.is_empty() || self.event_types.contains(&event.event_type))
    }
}
