//! [`Call`]: which call of a store an interceptor surrounds.

use eventcore::{
    Append, Position, ProjectionName, ReadAll, ReadStream, ReadStreams, Snapshot, SnapshotName,
    StreamId, SubscriptionName,
};

/// A call of a store.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Call<'a> {
    /// `append`.
    Append(&'a Append),
    /// A read.
    Read(ReadCall<'a>),
    /// `save_snapshot`.
    SaveSnapshot(&'a Snapshot),
    /// A call on a durable subscription.
    Subscription(&'a SubscriptionName, SubscriptionCall),
    /// A call of a store that keeps checkpoints of projections.
    Projection(ProjectionCall<'a>),
}

/// A call of a store that reads.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ReadCall<'a> {
    /// `read_stream`.
    Stream(&'a ReadStream),
    /// `read_streams`.
    Streams(&'a ReadStreams),
    /// `read_all`.
    All(&'a ReadAll),
    /// `stream_versions`.
    Versions(&'a [StreamId]),
    /// `safe_position`.
    SafePosition,
    /// `read_from_snapshot`.
    FromSnapshot(&'a SnapshotName, &'a [StreamId]),
}

/// A method of [`SubscriptionStore`](eventcore::SubscriptionStore).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubscriptionCall {
    /// `create_subscription`.
    Create,
    /// `drop_subscription`.
    Drop,
    /// `pause_subscription`.
    Pause,
    /// `resume_subscription`.
    Resume,
    /// `reset_subscription`.
    Reset,
    /// `poll_subscription`.
    Poll,
    /// `ack`.
    Ack,
    /// `nack`.
    Nack,
    /// `extend_lease`.
    ExtendLease,
    /// `parked`.
    Parked,
    /// `park`.
    Park,
    /// `replay_parked`.
    ReplayParked,
    /// `discard_parked`.
    DiscardParked,
}

/// A method of [`ProjectionStore`](eventcore::ProjectionStore).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProjectionCall<'a> {
    /// `checkpoint`.
    Checkpoint(&'a ProjectionName),
    /// `begin`.
    Begin,
    /// `advance_checkpoint`, from the first position to the second.
    Advance(&'a ProjectionName, Position, Position),
    /// `commit`.
    Commit,
}
