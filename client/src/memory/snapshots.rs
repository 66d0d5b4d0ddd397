//! Snapshots of commands' states, in memory.

use std::collections::HashMap;

use super::log::Log;
use crate::store::Snapshot;
use crate::values::{SnapshotName, StreamId};

#[derive(Default)]
pub(super) struct Snapshots(HashMap<(SnapshotName, Vec<StreamId>), Snapshot>);

impl Snapshots {
    pub(super) fn get(&self, name: &SnapshotName, streams: &[StreamId]) -> Option<&Snapshot> {
        self.0.get(&(name.clone(), streams.to_vec()))
    }

    /// Saves a snapshot, unless a newer one that is not ahead of its streams is saved.
    pub(super) fn put(&mut self, snapshot: &Snapshot, log: &Log) {
        let key = (snapshot.name.clone(), snapshot.stream_ids());
        let stays = self
            .0
            .get(&key)
            .is_some_and(|kept| !snapshot.is_as_new_as(kept) && first_ahead(kept, log).is_none());
        if !stays {
            self.0.insert(key, snapshot.clone());
        }
    }
}

/// The index of a stream that has fewer events than the snapshot includes.
pub(super) fn first_ahead(snapshot: &Snapshot, log: &Log) -> Option<usize> {
    let mut streams = snapshot.streams.iter();
    streams.position(|(stream, version)| *version > log.version(stream))
}
