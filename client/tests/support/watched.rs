//! A store in memory that records its calls and lets a test act in between.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::pending;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use eventcore::{
    Append, Appended, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent, Position, ReadAll,
    ReadStream, ReadStreams, RecordedEvent, Snapshot, SnapshotName, StoreError, StreamId,
    StreamVersion, StreamsRead,
};
use serde_json::json;

/// A call of the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    /// Reads these streams, each after this version.
    Read(Vec<(String, u64)>),
    /// Reads these streams from a snapshot; the snapshot had these versions, if there was one.
    ReadFromSnapshot(Vec<String>, Option<Vec<u64>>),
    Append,
    SaveSnapshot,
}

/// What a test does to the store before a call is executed.
type StepIn = Box<dyn FnMut(&InMemoryEventStore, &Call) + Send>;

#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) store: InMemoryEventStore,
    calls: Mutex<Vec<Call>>,
    step_in: Mutex<Option<StepIn>>,
    /// The snapshot to return instead of the store's own.
    pub(crate) forged: Mutex<Option<Snapshot>>,
    /// A call that is never answered.
    stuck_at: Option<Call>,
    /// Whether the answer to an append is lost and later appends fail permanently.
    loses_answers: bool,
}

impl Watched {
    /// Runs this on the wrapped store before each call.
    pub(crate) fn stepping_in(
        step_in: impl FnMut(&InMemoryEventStore, &Call) + Send + 'static,
    ) -> Self {
        let watched = Self::default();
        *watched.step_in.lock().unwrap() = Some(Box::new(step_in));
        watched
    }

    /// Never answers this call.
    pub(crate) fn stuck_at(call: Call) -> Self {
        Self {
            stuck_at: Some(call),
            ..Self::default()
        }
    }

    /// Writes the first append, loses its answer, and refuses to repeat it.
    pub(crate) fn losing_answers() -> Self {
        Self {
            loses_answers: true,
            ..Self::default()
        }
    }

    /// The calls since the last call of this method.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    async fn answer(&self, call: Call) {
        if self.stuck_at == Some(call) {
            pending::<()>().await;
        }
    }

    fn called(&self, call: Call) {
        if let Some(step_in) = self.step_in.lock().unwrap().as_mut() {
            step_in(&self.store, &call);
        }
        self.calls.lock().unwrap().push(call);
    }
}

/// Writes one event with a number, at any version of the stream.
pub(crate) fn write(store: &InMemoryEventStore, stream: &str, event_type: &str, n: u64) {
    let stream = StreamId::new(stream).unwrap();
    let payload = json!({ "n": n, "cents": n });
    let event = NewEvent::new(stream.clone(), event_type.parse().unwrap(), payload);
    let append = Append::new()
        .stream(stream, ExpectedVersion::Unchecked)
        .event(event);
    let mut appending = pin!(store.append(&append));
    match appending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(appended) => drop(appended.unwrap()),
        Poll::Pending => panic!("the memory store waits for nothing"),
    }
}

impl EventStore for Watched {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.called(Call::Append);
        self.answer(Call::Append).await;
        let appended = self.store.append(append).await?;
        match self.loses_answers {
            true if appended.repeated => Err(StoreError::other("the server is gone")),
            true => Err(StoreError::transient("the answer is lost")),
            false => Ok(appended),
        }
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_stream(read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        let streams = read.streams.iter();
        let streams = streams.map(|(stream, after)| (stream.to_string(), after.get()));
        self.called(Call::Read(streams.collect()));
        self.store.read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.store.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.store.safe_position().await
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        let forged = self.forged.lock().unwrap().clone();
        let answer = match forged {
            None => self.store.read_from_snapshot(name, streams).await?,
            Some(forged) => {
                let rest = forged.rest();
                (Some(forged), self.store.read_streams(&rest).await?)
            }
        };
        let versions = answer.0.as_ref().map(|snapshot| {
            let versions = snapshot.streams.iter().map(|(_, version)| version.get());
            versions.collect()
        });
        let streams = streams.iter().map(StreamId::to_string).collect();
        self.called(Call::ReadFromSnapshot(streams, versions));
        Ok(answer)
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.called(Call::SaveSnapshot);
        self.answer(Call::SaveSnapshot).await;
        self.store.save_snapshot(snapshot).await
    }

    async fn sleep(&self, duration: Duration) {
        self.store.sleep(duration).await;
    }
}
