//! What to read: one stream, several streams in one snapshot, or all events by position.

use super::event::Event;
use super::stored_event::RecordedEvent;
use crate::values::{EventType, Position, StreamId, StreamVersion};

/// The way to read.
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
    /// Forward, only events after this version; backward, only events before it, where 0 stands for
    /// the end.
    pub after: StreamVersion,
    /// The most events to return; `None` for all.
    pub limit: Option<u32>,
    /// The way to read.
    pub direction: Direction,
    /// Only events of these types; empty for all.
    pub event_types: Vec<EventType>,
    /// Not from a copy of the store that may be a moment behind, where there is one.
    pub up_to_date: bool,
}

/// A read of several streams in one snapshot. By default all their events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReadStreams {
    /// The streams, each once, and the version after which to start in each.
    pub streams: Vec<(StreamId, StreamVersion)>,
    /// The most events to return of each stream; `None` for all.
    pub limit: Option<u32>,
    /// Only events of these types; empty for all.
    pub event_types: Vec<EventType>,
    /// Not from a copy of the store that may be a moment behind, where there is one.
    pub up_to_date: bool,
}

/// What a read of several streams found.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct StreamsRead {
    /// The events, in the order of [`ReadStreams::streams`], then by version.
    pub events: Vec<RecordedEvent>,
    /// How far each stream was read, in the order of [`ReadStreams::streams`]: its last event that
    /// was returned, or where the read of it started. Without limit and filter that is the stream's
    /// version in the snapshot.
    pub versions: Vec<StreamVersion>,
}

/// A read of all events by position, up to the safe position. By default the first 1,000.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadAll {
    /// Forward, only events after this position; backward, only events before it, where 0 stands for
    /// the end.
    pub after: Position,
    /// The most events to return.
    pub limit: u32,
    /// The way to read.
    pub direction: Direction,
    /// Only these events.
    pub filter: Filter,
}

/// Which events to read of all. By default every one. A store refuses one with more than 1,000 prefixes or
/// more than 1,000 event types (SE003).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Filter {
    /// Only events of streams whose id starts with one of these; empty for all.
    pub stream_prefixes: Vec<String>,
    /// Only events of these types; empty for all.
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

    /// Reads what is committed by now, also where the store otherwise reads from a standby.
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

    /// Reads what is committed by now, also where the store otherwise reads from a standby.
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
    /// The answer of a store: events in the order of the streams, then by version, and how far each
    /// stream was read.
    pub fn new(events: Vec<RecordedEvent>, versions: Vec<StreamVersion>) -> Self {
        Self { events, versions }
    }
}

impl ReadAll {
    /// The most events that a read returns unless told otherwise.
    pub const DEFAULT_LIMIT: u32 = 1_000;

    /// A read from the first event on.
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

    /// Only events of streams whose id starts with this, or with another prefix that is given.
    #[must_use]
    pub fn stream_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stream_prefixes.push(prefix.into());
        self
    }

    /// Only events of this type, or of another type that is given.
    #[must_use]
    pub fn event_type(mut self, event_type: EventType) -> Self {
        self.event_types.push(event_type);
        self
    }

    /// Only events of the types that `E` knows, the old ones that it turns into new ones included, or
    /// of another type that is given. Where `E` does not say which these are, of every type.
    #[must_use]
    pub fn events_of<E: Event>(mut self) -> Self {
        // Under a name that is no event type nothing is stored.
        let types = E::event_types().iter().filter_map(|name| name.parse().ok());
        self.event_types.extend(types);
        self
    }

    /// Whether the filter lets this event through.
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
