//! [`EventStore`]: what every store does, and what goes into a store and comes out of it.

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
/// An implementation may be written with `async fn`. Dropping a future that is not done never leaves
/// half an append: it is written as a whole or not at all.
pub trait EventStore: Send + Sync {
    /// Writes all events of the append, or none.
    ///
    /// # Errors
    ///
    /// A declared stream is not where it is expected (SE001, all such streams are reported); an event
    /// goes to an undeclared stream (SE002); the append is malformed (SE003), for example declares a
    /// stream twice; its event ids were used before with other content (SE004); a stream is closed
    /// (SE005); or the store cannot be reached.
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

    /// The version of each of these streams, in their order.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> impl Future<Output = Result<Vec<StreamVersion>, StoreError>> + Send;

    /// The position up to which everything is committed or gone for good.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn safe_position(&self) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Reads several streams in one snapshot, each to its end: from the newest snapshot of this name that
    /// the store has of these streams, else from their start. A store need not keep snapshots.
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

    /// Keeps a snapshot, in place of an older one of the same name and streams. One that holds more of a
    /// stream stays, unless it is ahead of what is in the stream. A store need not keep snapshots.
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

    /// Waits, with whatever timer the store lives with, so that nothing else needs an async runtime.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
