//! [`InMemoryEventStore`]: events in memory, with the semantics of the store on PostgreSQL.

mod append;
mod check;
mod checkpoints;
mod durable;
mod log;
mod repeat;
mod shared;
mod snapshots;
mod timer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::checkpoints::MemoryTransaction;
use self::shared::Shared;
use crate::store::{
    Append, Appended, Direction, EventStore, ReadAll, ReadStream, ReadStreams, RecordedEvent,
    Snapshot, StoreError, StreamsRead, sendable,
};
use crate::subscription::{EventSubscription, Page, Subscribe, Subscription};
use crate::values::{Position, SnapshotName, StreamId, StreamVersion};

/// Events in memory, for tests and for programs that need no more. It needs no async runtime: any
/// executor works, and its futures never wait for I/O.
///
/// A clone is the same store. It behaves like PostgreSQL with the extension, with one exception:
/// its positions have no gaps.
#[derive(Clone, Default)]
pub struct InMemoryEventStore {
    shared: Arc<Shared>,
}

impl InMemoryEventStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }
}

impl EventStore for InMemoryEventStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.shared.append(append)
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        check::types(&read.event_types)?;
        Ok(self.shared.log().read_stream(read))
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        check::streams_once(read.streams.iter().map(|(stream, _)| stream))?;
        check::types(&read.event_types)?;
        Ok(self.shared.log().read_streams(read))
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        check::filter(&read.filter)?;
        let log = self.shared.log();
        if read.direction == Direction::Forward {
            log.check_reader(read.after)?;
        }
        Ok(log.read_all(read))
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        check::streams_once(streams.iter())?;
        let log = self.shared.log();
        Ok(streams.iter().map(|stream| log.version(stream)).collect())
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        Ok(self.shared.log().last_position())
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        check::streams_once(streams.iter())?;
        let snapshot = self.shared.snapshots().get(name, streams).cloned();
        let read = match &snapshot {
            Some(snapshot) => snapshot.rest(),
            None => ReadStreams::new(streams.iter().cloned()),
        };
        Ok((snapshot, self.shared.log().read_streams(&read)))
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        if snapshot.streams.is_empty() {
            return Err(StoreError::malformed("streams", None, "is empty"));
        }
        check::streams_once(snapshot.streams.iter().map(|(stream, _)| stream))?;
        sendable::check_state(snapshot)?;
        let mut snapshots = self.shared.snapshots();
        let log = self.shared.log();
        if let Some(index) = snapshots::first_ahead(snapshot, &log) {
            let reason = "is above the version of its stream";
            return Err(StoreError::malformed("versions", Some(index), reason));
        }
        snapshots.put(snapshot, &log);
        Ok(())
    }

    async fn sleep(&self, duration: Duration) {
        timer::sleep(duration).await;
    }
}

impl EventSubscription for InMemoryEventStore {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        let Subscribe {
            after,
            filter,
            page,
            ..
        } = subscribe;
        let shared = Arc::clone(&self.shared);
        let read = ReadAll::new().limit(page).filter(filter);
        Subscription::new(after, move |request| {
            let shared = Arc::clone(&shared);
            let read = read.clone().after(request.after);
            async move {
                check::filter(&read.filter)?;
                shared.log().check_reader(read.after)?;
                if request.wait {
                    shared.later_than(read.after).await;
                }
                let log = shared.log();
                let events = log.read_all(&read);
                let more = events.len() >= read.limit as usize;
                let read_to = match events.last() {
                    Some(last) if more => last.position,
                    _ => log.last_position().max(read.after),
                };
                Ok(Page::new(events.into_iter().map(Ok), read_to, more))
            }
        })
    }
}

impl fmt::Debug for InMemoryEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryEventStore")
            .field("last_position", &self.shared.log().last_position())
            .finish_non_exhaustive()
    }
}
