//! The store traits of a [`ChaosStore`]: each call meets its fate and is passed on to the store.

use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, EventSubscription, ExpectedVersion, Position, ReadAll,
    ReadStream, ReadStreams, RecordedEvent, Snapshot, SnapshotName, StoreError, StreamId,
    StreamVersion, StreamsRead, Subscribe, Subscription, VersionConflict,
};

use super::plan::Fate;
use super::{ChaosStore, Fault, Injected, Operation};

impl<S: EventStore> EventStore for ChaosStore<S> {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let call = self.next(Operation::Append);
        let Fate { latency, fault } = self.plan.fate(Operation::Append, call);
        self.wait(latency).await;
        let id = append.events.first().map(|event| event.event_id);
        match fault {
            Some(Fault::Before) => {
                self.note(Operation::Append, call, Fault::Before);
                Err(lost("before the append was written"))
            }
            Some(Fault::Conflict) if id.is_none_or(|id| !self.shared().written.contains(&id)) => {
                match conflict(append) {
                    Some(conflict) => {
                        self.note(Operation::Append, call, Fault::Conflict);
                        Err(StoreError::version_conflict(vec![conflict]))
                    }
                    None => self.store.append(append).await,
                }
            }
            Some(Fault::After) => {
                self.store.append(append).await?;
                self.note(Operation::Append, call, Fault::After);
                self.shared().written.extend(id);
                Err(lost("after the append was written"))
            }
            Some(Fault::Conflict) | None => self.store.append(append).await,
        }
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reading().await?.read_stream(read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.reading().await?.read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reading().await?.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.reading().await?.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.reading().await?.safe_position().await
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        self.reading()
            .await?
            .read_from_snapshot(name, streams)
            .await
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.reading().await?.save_snapshot(snapshot).await
    }

    async fn sleep(&self, duration: Duration) {
        self.store.sleep(duration).await;
    }
}

/// A subscription overcomes temporary errors itself, so nothing is injected here.
impl<S: EventSubscription> EventSubscription for ChaosStore<S> {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        self.store.subscribe(subscribe)
    }
}

impl<S: EventStore> ChaosStore<S> {
    /// The store for a read or for saving a snapshot, unless the call is to fail.
    async fn reading(&self) -> Result<&S, StoreError> {
        let call = self.next(Operation::Read);
        let Fate { latency, fault } = self.plan.fate(Operation::Read, call);
        self.wait(latency).await;
        match fault {
            Some(fault) => {
                self.note(Operation::Read, call, fault);
                Err(lost("before the call took effect"))
            }
            None => Ok(&self.store),
        }
    }

    pub(super) fn next(&self, operation: Operation) -> u64 {
        let mut shared = self.shared();
        let calls = match operation {
            Operation::Append => &mut shared.appends,
            Operation::Read => &mut shared.reads,
            Operation::Subscription => &mut shared.subscriptions,
        };
        *calls += 1;
        *calls
    }

    pub(super) fn note(&self, operation: Operation, call: u64, fault: Fault) {
        self.shared().log.push(Injected {
            operation,
            call,
            fault,
        });
    }

    pub(super) async fn wait(&self, latency: Duration) {
        if !latency.is_zero() {
            self.store.sleep(latency).await;
        }
    }
}

/// A conflict on the first declared stream that can have one.
fn conflict(append: &Append) -> Option<VersionConflict<StreamId>> {
    append.streams.iter().find_map(|(stream, expected)| {
        let actual = match expected {
            ExpectedVersion::Unchecked => return None,
            ExpectedVersion::Exists => 0,
            ExpectedVersion::Exactly(version) => version.saturating_add(1),
        };
        Some(VersionConflict {
            stream: stream.clone(),
            expected: *expected,
            actual,
        })
    })
}

pub(super) fn lost(when: &str) -> StoreError {
    StoreError::transient(format!("injected: the connection was lost {when}"))
}
