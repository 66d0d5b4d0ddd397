//! [`Snapshot`]: the state of a command as a store keeps it.

use super::query::ReadStreams;
use crate::values::{Payload, SnapshotName, StreamId, StreamVersion};

/// The state of a command after some events of its streams, as a store keeps it.
///
/// A snapshot only saves reading. A store may have none, or an old one, or lose it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The name of this kind of state.
    pub name: SnapshotName,
    /// The streams with the versions up to which the state includes them, in the order of the
    /// command's declaration.
    pub streams: Vec<(StreamId, StreamVersion)>,
    /// The state.
    pub state: Payload,
}

impl Snapshot {
    /// A snapshot of this state.
    pub fn new(
        name: SnapshotName,
        streams: impl IntoIterator<Item = (StreamId, StreamVersion)>,
        state: impl Into<Payload>,
    ) -> Self {
        Self {
            name,
            streams: streams.into_iter().collect(),
            state: state.into(),
        }
    }

    /// A read of the events after the snapshot.
    pub fn rest(&self) -> ReadStreams {
        let streams = self.streams.iter().cloned();
        streams.fold(ReadStreams::default(), |read, (stream, version)| {
            read.stream_after(stream, version)
        })
    }

    /// The streams, without the versions.
    pub(crate) fn stream_ids(&self) -> Vec<StreamId> {
        self.streams
            .iter()
            .map(|(stream, _)| stream.clone())
            .collect()
    }

    /// Whether it includes at least as many events of every stream as another snapshot of the same
    /// streams.
    pub(crate) fn is_as_new_as(&self, other: &Self) -> bool {
        let mut pairs = self.streams.iter().zip(&other.streams);
        pairs.all(|((_, version), (_, other))| version >= other)
    }
}
