//! The store in memory against the model, with more cases than the contract has; and proof that the
//! model finds flaws.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, InMemoryEventStore, Position, ReadAll, ReadStream, ReadStreams,
    RecordedEvent, StoreError, StreamId, StreamVersion, StreamsRead,
};
use eventcore_testing::model;

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_agrees_with_the_model_in_many_random_sequences() {
    model::check(&InMemoryEventStore::new(), 400);
}

/// A flaw of a store.
#[derive(Clone, Copy)]
enum Flaw {
    /// Does not check the versions of streams that are not written.
    UncheckedStreams,
    /// Reports only one of several conflicts.
    FirstConflict,
    /// Returns one event too many.
    Limit,
    /// Does not recognise repeats.
    Repeats,
}

/// A store in memory with a flaw.
struct Flawed(InMemoryEventStore, Flaw);

#[tokio::test(flavor = "multi_thread")]
async fn the_model_finds_what_is_wrong_with_a_store() {
    for flaw in [
        Flaw::UncheckedStreams,
        Flaw::FirstConflict,
        Flaw::Limit,
        Flaw::Repeats,
    ] {
        let store = Flawed(InMemoryEventStore::new(), flaw);
        let found = catch_unwind(AssertUnwindSafe(|| model::check(&store, 400)));
        let panic = found.expect_err("a flaw that was not found");
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(
            message.contains("the store and the model differ"),
            "{message}"
        );
    }
}

impl EventStore for Flawed {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        let mut append = append.clone();
        if matches!(self.1, Flaw::UncheckedStreams) {
            let events = append.events.clone();
            for (stream, expected) in &mut append.streams {
                if events.iter().all(|event| event.stream_id != *stream) {
                    *expected = eventcore::ExpectedVersion::Unchecked;
                }
            }
        }
        let appended = self.0.append(&append).await;
        match (self.1, appended) {
            (Flaw::FirstConflict, Err(error)) if error.is_version_conflict() => Err(
                StoreError::version_conflict(error.conflicts()[..1].to_vec()),
            ),
            (Flaw::Repeats, Ok(appended)) => Ok(Appended {
                repeated: false,
                ..appended
            }),
            (_, appended) => appended,
        }
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut read = read.clone();
        if let (Flaw::Limit, Some(limit)) = (self.1, &mut read.limit) {
            *limit += 1;
        }
        self.0.read_stream(&read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.0.read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.0.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.0.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.0.safe_position().await
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}
