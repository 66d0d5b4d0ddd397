//! [`EventStore`]: the operations of every store. What goes into a store and comes out of it is in
//! the files below.

mod append;
mod error;
mod event;
mod query;
mod rejection;
pub(crate) mod sendable;
mod snapshot;
mod stored_event;

use std::time::Duration;

pub use self::append::{Append, Appended, NewEvent};
pub use self::error::StoreError;
pub use self::event::{Event, EventError};
pub use self::query::{Direction, Filter, ReadAll, ReadStream, ReadStreams, StreamsRead};
pub use self::rejection::Rejection;
pub use self::snapshot::Snapshot;
pub use self::stored_event::{RecordedEvent, StoredEvent};
use crate::values::{Position, SnapshotName, StreamId, StreamVersion};

/// A store of events in streams.
///
/// An implementation may use `async fn`. If the caller drops the future of an append, the append is
/// written completely or not at all.
pub trait EventStore: Send + Sync {
    /// Writes all events of the append, or none.
    ///
    /// # Errors
    ///
    /// A declared stream is not at its expected version (SE001, with all such streams); an event
    /// goes to an undeclared stream (SE002); the append is malformed (SE003), for example it
    /// declares a stream twice; its event ids were used before with other content (SE004); a stream
    /// is closed (SE005); or the store cannot be reached.
    fn append(&self, append: &Append) -> impl Future<Output = Result<Appended, StoreError>> + Send;

    /// Reads events of one stream in the order of their versions.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn read_stream(
        &self,
        read: &ReadStream,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, StoreError>> + Send;

    /// Reads several streams in one snapshot.
    ///
    /// # Errors
    ///
    /// A stream is listed twice (SE003), or the store cannot be reached.
    fn read_streams(
        &self,
        read: &ReadStreams,
    ) -> impl Future<Output = Result<StreamsRead, StoreError>> + Send;

    /// Reads events of all streams in the order of their positions, up to the safe position.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn read_all(
        &self,
        read: &ReadAll,
    ) -> impl Future<Output = Result<Vec<RecordedEvent>, StoreError>> + Send;

    /// The versions of these streams, in the same order.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<Vec<StreamVersion>, StoreError>> + Send;

    /// The safe position: every position up to it is either committed or will never be used.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn safe_position(&self) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Reads several streams in one snapshot, each to its end. The read starts after the newest
    /// snapshot that the store has under this name for these streams; without one, it starts at the
    /// first events. A store need not keep snapshots.
    ///
    /// # Errors
    ///
    /// A stream is listed twice (SE003), or the store cannot be reached.
    fn read_from_snapshot(
        &self,
        _name: &SnapshotName,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<(Option<Snapshot>, StreamsRead), StoreError>> + Send {
        let read = ReadStreams::new(streams.iter().cloned()).up_to_date();
        async move { Ok((None, self.read_streams(&read).await?)) }
    }

    /// Saves a snapshot and replaces an older one with the same name and streams. An existing
    /// snapshot that includes more events of a stream is kept, unless it is ahead of the stream
    /// itself. A store need not keep snapshots.
    ///
    /// # Errors
    ///
    /// A stream is listed twice (SE003), or the store cannot be reached.
    fn save_snapshot(
        &self,
        _snapshot: &Snapshot,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// Sleeps, with whatever timer the store uses, so that callers need no async runtime of their
    /// own.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
