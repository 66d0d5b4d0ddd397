//! The store in memory against the model, with more cases than the contract has; and proof that the
//! model finds flaws.

use std::panic::{AssertUnwindSafe, catch_unwind};

use eventcore::{
    Append, Appended, EventStore, ExpectedVersion, InMemoryEventStore, ReadStream, RecordedEvent,
    StoreError,
};
use eventcore_testing::intercept::{Intercept, Intercepted};
use eventcore_testing::model;

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_store_agrees_with_the_model_in_many_random_sequences() {
    model::check(&InMemoryEventStore::new(), 400);
}

/// A flaw of a store.
#[derive(PartialEq)]
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

#[tokio::test(flavor = "multi_thread")]
async fn the_model_finds_what_is_wrong_with_a_store() {
    for flaw in [
        Flaw::UncheckedStreams,
        Flaw::FirstConflict,
        Flaw::Limit,
        Flaw::Repeats,
    ] {
        let store = Intercepted::with(InMemoryEventStore::new(), flaw);
        let found = catch_unwind(AssertUnwindSafe(|| model::check(&store, 400)));
        let panic = found.expect_err("a flaw that was not found");
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(
            message.contains("the store and the model differ"),
            "{message}"
        );
    }
}

impl Intercept<InMemoryEventStore> for Flaw {
    async fn append(
        &self,
        store: &InMemoryEventStore,
        append: &Append,
    ) -> Result<Appended, StoreError> {
        let mut append = append.clone();
        if *self == Flaw::UncheckedStreams {
            let events = append.events.clone();
            for (stream, expected) in &mut append.streams {
                if events.iter().all(|event| event.stream_id != *stream) {
                    *expected = ExpectedVersion::Unchecked;
                }
            }
        }
        match (self, store.append(&append).await) {
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

    async fn read_stream(
        &self,
        store: &InMemoryEventStore,
        read: &ReadStream,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let mut read = read.clone();
        if let (Flaw::Limit, Some(limit)) = (self, &mut read.limit) {
            *limit += 1;
        }
        store.read_stream(&read).await
    }
}
