//! [`StateCache`]: states of commands, cached in this process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::store::Snapshot;
use crate::values::{Position, SnapshotName, StreamId};

/// Caches the states of commands in this process, so that a command reads only the events that are
/// new since it last read the same streams. Only commands with [`Snapshots`](crate::Snapshots) use
/// the cache.
///
/// A clone shares the states. Use one cache per store, because a state is found only by its name
/// and its streams. The events that a command writes are applied to its cached state. A cached
/// state may be behind its streams; then the command reads the new events. It may be ahead of a
/// store that has lost events, or be of other events at the same versions; then an attempt fails
/// and the command decides again. This is safe: everything that a command writes is checked against
/// the versions of the state that it decided on, and so is a rejection based on a cached state.
#[derive(Clone)]
pub struct StateCache(Arc<Shared>);

struct Shared {
    capacity: usize,
    cached: Mutex<LruCache<Key, KnownState>>,
}

type Key = (SnapshotName, Vec<StreamId>);

/// A state, and how this process knows it.
#[derive(Debug, Clone)]
pub(crate) struct KnownState {
    pub(crate) snapshot: Snapshot,
    /// The position of the append of this process that its versions rest on; `None` if all its
    /// events were read.
    pub(crate) position: Option<Position>,
}

impl StateCache {
    /// Caches at most this many states. The least recently used state is removed first.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Shared {
            capacity: capacity.max(1),
            // Not with a capacity, for which room would be made at once.
            cached: Mutex::new(LruCache::unbounded()),
        }))
    }

    /// The cached state of these streams.
    pub(crate) fn get(&self, name: &SnapshotName, streams: &[StreamId]) -> Option<KnownState> {
        let key = (name.clone(), streams.to_vec());
        self.cached().get(&key).cloned()
    }

    /// Caches a state unless a newer one is cached.
    pub(crate) fn put(&self, known: KnownState) {
        let key = (known.snapshot.name.clone(), known.snapshot.stream_ids());
        let mut cached = self.cached();
        match cached.get_mut(&key) {
            Some(state) if !known.snapshot.is_as_new_as(&state.snapshot) => {}
            Some(state) => *state = known,
            None => {
                cached.put(key, known);
            }
        }
        while cached.len() > self.0.capacity {
            cached.pop_lru();
        }
    }

    /// Removes the state of these streams, because it turned out to be useless.
    pub(crate) fn forget(&self, name: &SnapshotName, streams: &[StreamId]) {
        self.cached().pop(&(name.clone(), streams.to_vec()));
    }

    fn cached(&self) -> MutexGuard<'_, LruCache<Key, KnownState>> {
        self.0.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StateCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateCache")
            .field("capacity", &self.0.capacity)
            .field("states", &self.cached().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values::StreamVersion;

    fn state(stream: &str, version: u64) -> KnownState {
        let stream = StreamId::new(stream).unwrap();
        let name = SnapshotName::new("n").unwrap();
        let streams = [(stream, StreamVersion::new(version))];
        KnownState {
            snapshot: Snapshot::new(name, streams, json!(version)),
            position: None,
        }
    }

    fn version(cache: &StateCache, stream: &str) -> Option<u64> {
        let of = state(stream, 0).snapshot;
        let cached = cache.get(&of.name, &of.stream_ids())?;
        Some(cached.snapshot.streams[0].1.get())
    }

    #[test]
    fn an_older_state_does_not_replace_a_newer_one() {
        let cache = StateCache::new(9);
        for version in [2, 3, 1] {
            cache.put(state("a", version));
        }
        assert_eq!(version(&cache, "a"), Some(3));
    }

    #[test]
    fn what_was_used_the_least_recently_is_forgotten_first() {
        let cache = StateCache::new(2);
        cache.put(state("a", 1));
        cache.put(state("b", 1));
        assert_eq!(version(&cache, "a"), Some(1));
        cache.put(state("c", 1));
        assert_eq!(version(&cache, "b"), None);
        assert_eq!(version(&cache, "a").zip(version(&cache, "c")), Some((1, 1)));
    }
}
