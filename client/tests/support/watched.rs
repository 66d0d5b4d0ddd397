//! A store in memory that records its calls and lets a test act in between.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::future::pending;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use eventcore::{
    Append, Appended, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent, Position,
    Snapshot, SnapshotName, StoreError, StreamId, StreamsRead,
};
use eventcore_testing::intercept::{self, Intercept, Intercepted, ReadCall};
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

/// A store in memory with a [`Watch`].
pub(crate) type Watched = Intercepted<InMemoryEventStore, Watch>;

#[derive(Default)]
pub(crate) struct Watch {
    calls: Mutex<Vec<Call>>,
    step_in: Mutex<Option<StepIn>>,
    /// The snapshot to return instead of the store's own.
    pub(crate) forged: Mutex<Option<Snapshot>>,
    /// A call that is never answered.
    stuck_at: Option<Call>,
    /// Whether the answer to an append is lost and later appends fail permanently.
    loses_answers: bool,
    /// Whether the store is in another history than every position that it is told.
    pub(crate) in_another_history: AtomicBool,
}

/// Runs this on the wrapped store before each call.
pub(crate) fn stepping_in(
    step_in: impl FnMut(&InMemoryEventStore, &Call) + Send + 'static,
) -> Watched {
    watched(Watch {
        step_in: Mutex::new(Some(Box::new(step_in))),
        ..Watch::default()
    })
}

/// Never answers this call.
pub(crate) fn stuck_at(call: Call) -> Watched {
    watched(Watch {
        stuck_at: Some(call),
        ..Watch::default()
    })
}

/// Writes the first append, loses its answer, and refuses to repeat it.
pub(crate) fn losing_answers() -> Watched {
    watched(Watch {
        loses_answers: true,
        ..Watch::default()
    })
}

fn watched(watch: Watch) -> Watched {
    Intercepted::with(InMemoryEventStore::new(), watch)
}

impl Watch {
    /// The calls since the last call of this method.
    pub(crate) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn called(&self, store: &InMemoryEventStore, call: Call) {
        if let Some(step_in) = self.step_in.lock().unwrap().as_mut() {
            step_in(store, &call);
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

impl Intercept<InMemoryEventStore> for Watch {
    async fn call<T: Send>(
        &self,
        store: &InMemoryEventStore,
        call: intercept::Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let call = match call {
            intercept::Call::Append(_) => Call::Append,
            intercept::Call::SaveSnapshot(_) => Call::SaveSnapshot,
            intercept::Call::Read(ReadCall::Streams(read)) => {
                let streams = read.streams.iter();
                let streams = streams.map(|(stream, after)| (stream.to_string(), after.get()));
                Call::Read(streams.collect())
            }
            _ => return work.await,
        };
        let is_stuck = self.stuck_at.as_ref() == Some(&call);
        self.called(store, call);
        if is_stuck {
            pending::<()>().await;
        }
        work.await
    }

    async fn append(
        &self,
        store: &InMemoryEventStore,
        append: &Append,
    ) -> Result<Appended, StoreError> {
        if let Some(known) = append.known_position
            && self.in_another_history.load(Ordering::Relaxed)
        {
            return Err(StoreError::diverged(known, Position::START));
        }
        let appended = store.append(append).await?;
        match self.loses_answers {
            true if appended.repeated => Err(StoreError::other("the server is gone")),
            true => Err(StoreError::transient("the answer is lost")),
            false => Ok(appended),
        }
    }

    async fn read_from_snapshot(
        &self,
        store: &InMemoryEventStore,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        let forged = self.forged.lock().unwrap().clone();
        let answer = match forged {
            None => store.read_from_snapshot(name, streams).await?,
            Some(forged) => {
                let rest = forged.rest();
                (Some(forged), store.read_streams(&rest).await?)
            }
        };
        let versions = answer.0.as_ref().map(|snapshot| {
            let versions = snapshot.streams.iter().map(|(_, version)| version.get());
            versions.collect()
        });
        let streams = streams.iter().map(StreamId::to_string).collect();
        self.called(store, Call::ReadFromSnapshot(streams, versions));
        Ok(answer)
    }
}
