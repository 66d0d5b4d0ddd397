//! [`EventCache`]: events of streams, cached in this process.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::store::{Event, StoredEvent};
use crate::values::{Position, StreamId, StreamVersion};

/// Caches the events of streams in this process, decoded, so that a command reads only the events
/// that are new since a command last read the same streams. The events that commands write are
/// added. Every command without [`Snapshots`](crate::Snapshots) can use the cache; commands with
/// the same type of events share it. It is made for streams of up to some hundred events; for
/// longer ones there are [`Snapshots`](crate::Snapshots).
///
/// A clone shares the events. Use one cache per store. Cached streams may be behind the store; then
/// the command reads the new events. They may be ahead of a store that has lost events, or be of
/// other events at the same versions; then an attempt fails and the command reads everything and
/// decides again. This is safe: everything that a command writes is checked against the versions
/// that it decided on, and so is a rejection based on cached events.
#[derive(Clone)]
pub struct EventCache(Arc<Shared>);

struct Shared {
    capacity: usize,
    cached: Mutex<CachedStreams>,
}

struct CachedStreams {
    streams: LruCache<Key, Entry>,
    /// How many events they have together, and one for each stream.
    size: usize,
}

/// The type of the decoded events, and the stream.
type Key = (TypeId, StreamId);

struct Entry {
    /// A [`KnownStream`].
    stream: Box<dyn Any + Send + Sync>,
    size: usize,
}

/// The events of a stream up to a version, and how this process knows them.
pub(crate) struct KnownStream<E> {
    pub(crate) events: Arc<Vec<Arc<StoredEvent<E>>>>,
    pub(crate) version: StreamVersion,
    /// The position of the append of this process that the version rests on; `None` if all events
    /// were read.
    pub(crate) position: Option<Position>,
}

/// Events of a stream that follow those that were taken from the cache.
pub(crate) struct Tail<E> {
    pub(crate) events: Vec<Arc<StoredEvent<E>>>,
    pub(crate) version: StreamVersion,
    pub(crate) position: Option<Position>,
}

impl EventCache {
    /// Caches at most this many events. The events of the least recently used streams are removed
    /// first.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Shared {
            capacity: capacity.max(1),
            // Not with a capacity, for which room would be made at once.
            cached: Mutex::new(CachedStreams {
                streams: LruCache::unbounded(),
                size: 0,
            }),
        }))
    }

    /// The cached events of a stream.
    pub(crate) fn get<E: Event>(&self, stream: &StreamId) -> Option<KnownStream<E>> {
        let mut cached = self.cached();
        let entry = cached.streams.get(&key::<E>(stream))?;
        entry.stream.downcast_ref::<KnownStream<E>>().cloned()
    }

    /// Adds events to those that were taken from the cache, unless it has other ones by now.
    pub(crate) fn add<E: Event>(&self, stream: &StreamId, known: KnownStream<E>, tail: Tail<E>) {
        let key = key::<E>(stream);
        let mut cached = self.cached();
        let grown = tail.events.len();
        let Some(entry) = cached.streams.get_mut(&key) else {
            let mut stream = known;
            stream.add(tail);
            return cached.insert(key, stream, self.0.capacity);
        };
        let Some(now) = entry.stream.downcast_mut::<KnownStream<E>>() else {
            return;
        };
        if now.version != known.version {
            return;
        }
        // Only the cache may have the events now, so that they need not be copied.
        drop(known);
        if entry.size + grown > self.0.capacity {
            return cached.remove(&key);
        }
        now.add(tail);
        entry.size += grown;
        cached.size += grown;
        cached.make_room(self.0.capacity);
    }

    /// Removes the events of a stream, because they turned out to be those of another history.
    pub(crate) fn forget<E: Event>(&self, stream: &StreamId) {
        self.cached().remove(&key::<E>(stream));
    }

    fn cached(&self) -> MutexGuard<'_, CachedStreams> {
        self.0.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedStreams {
    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.streams.pop(key) {
            self.size -= entry.size;
        }
    }

    /// Inserts a stream that is not cached. A stream that would leave no room for others is not
    /// cached.
    fn insert<E: Event>(&mut self, key: Key, stream: KnownStream<E>, capacity: usize) {
        let size = stream.events.len() + 1;
        if size > capacity {
            return;
        }
        self.size += size;
        let stream = Box::new(stream);
        self.streams.put(key, Entry { stream, size });
        self.make_room(capacity);
    }

    /// Removes streams until the others fit. The one that was used last always fits.
    fn make_room(&mut self, capacity: usize) {
        while self.size > capacity
            && let Some((_, oldest)) = self.streams.pop_lru()
        {
            self.size -= oldest.size;
        }
    }
}

impl<E> KnownStream<E> {
    /// No events are known.
    pub(crate) fn unknown() -> Self {
        Self {
            events: Arc::default(),
            version: StreamVersion::new(0),
            position: None,
        }
    }

    /// The stream's name, as its events have it: if all share one text, comparing it with theirs reads
    /// no other memory.
    pub(crate) fn shared_name(&self, stream: &StreamId) -> StreamId {
        let first = self.events.first();
        first.map_or(stream, |event| &event.stream_id).clone()
    }

    fn add(&mut self, tail: Tail<E>) {
        if !tail.events.is_empty() {
            Arc::make_mut(&mut self.events).extend(tail.events);
        }
        self.version = tail.version;
        self.position = tail.position.or(self.position);
    }
}

impl<E> Clone for KnownStream<E> {
    fn clone(&self) -> Self {
        Self {
            events: Arc::clone(&self.events),
            version: self.version,
            position: self.position,
        }
    }
}

impl fmt::Debug for EventCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cached = self.cached();
        f.debug_struct("EventCache")
            .field("capacity", &self.0.capacity)
            .field("streams", &cached.streams.len())
            .field("size", &cached.size)
            .finish()
    }
}

fn key<E: Event>(stream: &StreamId) -> Key {
    (TypeId::of::<E>(), stream.clone())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::store::{EventError, RecordedEvent};
    use crate::values::{EventId, EventType, Payload};

    #[derive(Debug)]
    struct Happened;

    impl Event for Happened {
        fn event_type(&self) -> &str {
            "Happened"
        }
        fn encode(&self) -> Result<Payload, EventError> {
            Ok(serde_json::json!({}).into())
        }
        fn decode(_: &str, _: &Payload) -> Result<Self, EventError> {
            Ok(Self)
        }
    }

    fn stream(name: &str) -> StreamId {
        StreamId::new(name).unwrap()
    }

    /// Events after a version.
    fn tail(after: u64, count: u64, position: Option<u64>) -> Tail<Happened> {
        let events = (after + 1..=after + count).map(|version| {
            let recorded = RecordedEvent {
                position: Position::new(version),
                stream_id: stream("any"),
                version: StreamVersion::new(version),
                event_id: EventId::new(),
                event_type: EventType::new("Happened").unwrap(),
                payload: serde_json::json!({}).into(),
                metadata: None,
                correlation_id: None,
                causation_id: None,
                recorded_at: SystemTime::UNIX_EPOCH,
            };
            Arc::new(recorded.decode().unwrap())
        });
        Tail {
            events: events.collect(),
            version: StreamVersion::new(after + count),
            position: position.map(Position::new),
        }
    }

    fn known(cache: &EventCache, name: &str) -> KnownStream<Happened> {
        let known = cache.get(&stream(name));
        known.unwrap_or_else(KnownStream::unknown)
    }

    fn add(cache: &EventCache, name: &str, count: u64) {
        let known = known(cache, name);
        let tail = tail(known.version.get(), count, None);
        cache.add(&stream(name), known, tail);
    }

    fn counts(cache: &EventCache, names: [&str; 3]) -> [Option<usize>; 3] {
        names.map(|name| {
            let known = cache.get::<Happened>(&stream(name))?;
            assert_eq!(known.version.get(), known.events.len() as u64);
            Some(known.events.len())
        })
    }

    #[test]
    fn events_are_added_to_those_that_were_taken() {
        let cache = EventCache::new(100);
        add(&cache, "a", 3);
        add(&cache, "a", 2);
        assert_eq!(known(&cache, "a").events.len(), 5);
        // Two executions took the same events, and the second one is too late.
        let (one, other) = (known(&cache, "a"), known(&cache, "a"));
        cache.add(&stream("a"), one, tail(5, 1, Some(7)));
        cache.add(&stream("a"), other, tail(5, 2, None));
        let now = known(&cache, "a");
        assert_eq!((now.events.len(), now.version.get()), (6, 6));
        assert_eq!(now.position, Some(Position::new(7)));
        // What was read later rests on the same append.
        add(&cache, "a", 1);
        assert_eq!(known(&cache, "a").position, Some(Position::new(7)));
    }

    #[test]
    fn a_stream_that_outgrows_the_cache_leaves_it_and_others_make_room_for_one_that_grows() {
        let cache = EventCache::new(10);
        add(&cache, "a", 3);
        add(&cache, "b", 2);
        add(&cache, "c", 1);
        add(&cache, "b", 2);
        assert_eq!(counts(&cache, ["a", "b", "c"]), [None, Some(4), Some(1)]);
        assert_eq!(cache.cached().size, 7);
        add(&cache, "b", 6);
        assert_eq!(counts(&cache, ["a", "b", "c"]), [None, None, Some(1)]);
        assert_eq!(cache.cached().size, 2);
    }

    #[test]
    fn the_name_of_a_stream_is_the_text_that_its_events_share() {
        let cache = EventCache::new(10);
        add(&cache, "any", 2);
        let known = known(&cache, "any");
        let same = |one: &StreamId, other: &StreamId| std::ptr::eq(one.as_str(), other.as_str());
        let asked = stream("any");
        let shared = known.shared_name(&asked);
        assert!(same(&shared, &known.events[0].stream_id) && !same(&shared, &asked));
        let unknown = KnownStream::<Happened>::unknown();
        assert!(same(&unknown.shared_name(&asked), &asked));
    }

    #[test]
    fn the_least_recently_used_streams_leave_when_room_is_needed() {
        let cache = EventCache::new(10);
        add(&cache, "a", 3);
        add(&cache, "b", 3);
        known(&cache, "a");
        add(&cache, "c", 2);
        assert_eq!(counts(&cache, ["a", "b", "c"]), [Some(3), None, Some(2)]);
        // A stream that is as large as the cache is not cached, and pushes no other one out.
        add(&cache, "d", 10);
        assert_eq!(counts(&cache, ["a", "c", "d"]), [Some(3), Some(2), None]);
        assert_eq!(cache.cached().size, 7);
        cache.forget::<Happened>(&stream("a"));
        assert_eq!(counts(&cache, ["a", "c", "d"]), [None, Some(2), None]);
        assert_eq!(cache.cached().size, 3);
    }
}
