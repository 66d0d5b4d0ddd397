//! Two commands on accounts, and a store that counts and fails as told.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use eventcore::{
    Append, Appended, Command, CommandError, CommandLogic, Event, EventStore, InMemoryEventStore,
    NewEvents, Position, ReadAll, ReadStream, ReadStreams, RecordedEvent, StoreError, StoredEvent,
    StreamId, StreamVersion, Streams, StreamsRead, emit, require,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{missing} cents too few")]
pub(crate) struct TooFew {
    pub(crate) missing: u64,
}

#[derive(Command)]
pub(crate) struct Deposit {
    #[stream]
    pub(crate) account: StreamId,
    pub(crate) cents: u64,
}

#[derive(Command)]
pub(crate) struct Transfer {
    #[stream]
    pub(crate) from: StreamId,
    #[stream]
    pub(crate) to: StreamId,
    pub(crate) cents: u64,
}

impl CommandLogic for Deposit {
    type State = ();
    type Event = AccountEvent;

    fn apply(&self, _: (), _: &StoredEvent<AccountEvent>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if self.cents > 0 {
            emit!(
                events,
                streams.account,
                AccountEvent::Deposited { cents: self.cents }
            );
        }
        Ok(events)
    }
}

impl CommandLogic for Transfer {
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
        match stored.event {
            _ if stored.stream_id != self.from => balance,
            AccountEvent::Deposited { cents } => balance + cents,
            AccountEvent::Withdrawn { cents } => balance - cents,
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(self.cents > 0, "a transfer of {} cents", self.cents);
        require!(
            self.cents <= balance,
            TooFew {
                missing: self.cents - balance
            }
        );
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.from,
            AccountEvent::Withdrawn { cents: self.cents }
        );
        emit!(
            events,
            streams.to,
            AccountEvent::Deposited { cents: self.cents }
        );
        Ok(events)
    }
}

/// A store in memory that counts its calls, and loses connections before or after an append.
#[derive(Default)]
pub(crate) struct Unsteady {
    pub(crate) store: InMemoryEventStore,
    pub(crate) calls: AtomicU32,
    /// This many reads fail.
    pub(crate) reads_fail: AtomicU32,
    /// This many appends are written, but their answers are lost.
    pub(crate) answers_lost: AtomicU32,
}

impl Unsteady {
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(SeqCst)
    }

    fn fails(&self, left: &AtomicU32) -> Result<(), StoreError> {
        match left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(StoreError::transient("connection lost")),
            Err(_) => Ok(()),
        }
    }
}

impl EventStore for Unsteady {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        let appended = self.store.append(append).await?;
        self.fails(&self.answers_lost)?;
        Ok(appended)
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.store.read_stream(read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.fails(&self.reads_fail)?;
        self.store.read_streams(read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.store.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.store.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.calls.fetch_add(1, SeqCst);
        self.store.safe_position().await
    }

    async fn sleep(&self, duration: Duration) {
        self.store.sleep(duration).await;
    }
}
