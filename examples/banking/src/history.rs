//! [`Entry`]: an event of an account; and the final read of all accounts.

use eventcore::{
    EventError, EventId, EventStore, Position, ReadStream, RecordedEvent, StreamField, StreamId,
    StreamVersion,
};

use crate::account_event::AccountEvent;
use crate::failure::Failure;
use crate::openings::Opening;

/// An event of an account.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) stream: StreamId,
    pub(crate) version: StreamVersion,
    pub(crate) id: EventId,
    pub(crate) event: AccountEvent,
}

/// Reads the stream of each account from its first event to its last.
pub(crate) async fn read_all_streams<S: EventStore>(
    store: &S,
    openings: &[Opening],
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for Opening { account, .. } in openings {
        let read = ReadStream::new(account.stream_id().clone());
        for event in store.read_stream(&read).await? {
            entries.push(Entry::try_from(event)?);
        }
    }
    Ok(entries)
}

impl TryFrom<RecordedEvent> for Entry {
    type Error = EventError;

    fn try_from(event: RecordedEvent) -> Result<Self, EventError> {
        let stored = event.decode()?;
        Ok(Self {
            position: stored.position,
            stream: stored.stream_id,
            version: stored.version,
            id: stored.event_id,
            event: stored.event,
        })
    }
}
