//! What an execution leaves behind for later ones: the state of its declared streams, in this
//! process's cache and, if the policy says so, in the store; or the events of its streams, in this
//! process's cache.

use std::error::Error;
use std::sync::Arc;

use super::attempt::FoldedState;
use super::cached_read::PendingStream;
use super::execution::Place;
use super::observe::Phase;
use super::run::Run;
use crate::command::AsyncCommandLogic;
use crate::snapshot::{Folded, KnownState, Snapshots};
use crate::store::{Append, Appended, EventStore, RecordedEvent, Snapshot, StoredEvent};
use crate::values::{Position, SnapshotName, StreamVersion};

/// Why something cannot be kept.
type Problem = Box<dyn Error + Send + Sync>;
/// Events that the command has written, each with the place of its stream in the append.
type OwnEvents<E> = Vec<(usize, StoredEvent<E>)>;

/// The state of the declared streams that the command decided on.
pub(super) struct PendingState {
    snapshot: Snapshot,
    /// The position of the append that the versions rest on; `None` if they were only read.
    position: Option<Position>,
    /// The state with the events that the command has written, and its versions.
    after: Option<Snapshot>,
    in_store: bool,
}

impl<S: EventStore, C: AsyncCommandLogic> Run<'_, S, C> {
    /// The state of the declared streams, if it will be cached or saved.
    pub(super) fn pending_state(
        &self,
        name: SnapshotName,
        snapshots: &Snapshots<C::State>,
        folded: &mut FoldedState<C::State>,
        events: usize,
    ) -> Option<PendingState> {
        let streams = folded.streams.len();
        let in_store = !self.uses_snapshots || snapshots.is_due(Folded { events, streams });
        if !in_store && self.options.state_cache.is_none() {
            return None;
        }
        let encoded = match folded.encoded.take() {
            Some(encoded) => Ok(encoded),
            None => snapshots.encode(&folded.state),
        };
        match encoded {
            Ok(state) => {
                let streams = folded.streams.since(0).iter().cloned();
                let streams = streams.zip(folded.versions.iter().copied());
                Some(PendingState {
                    snapshot: Snapshot::new(name, streams, state),
                    position: folded.known_position,
                    after: None,
                    in_store,
                })
            }
            Err(error) => {
                self.observer.snapshot_failed(&error);
                None
            }
        }
    }

    /// Adds the command's events, which an append has written at these places, to what is pending, so
    /// that the next execution does not need to read them. A failure to do so is not a failure of the
    /// command.
    pub(super) fn advance(&mut self, append: &Append, appended: &Appended, places: &[Place]) {
        let keeps_state = self.options.state_cache.is_some() && self.pending_state.is_some();
        if appended.last_position.is_none() || !keeps_state && self.pending_streams.is_empty() {
            return;
        }
        let added = self.added(append, appended, places).and_then(|own| {
            if keeps_state {
                self.advance_state(&own, appended)?;
            }
            Ok(own)
        });
        match added {
            Ok(own) => self.advance_streams(own, appended),
            Err(error) => {
                self.observer.snapshot_failed(&*error);
                self.pending_streams.clear();
            }
        }
    }

    /// The events of an append that were written at these places.
    fn added(
        &self,
        append: &Append,
        appended: &Appended,
        places: &[Place],
    ) -> Result<OwnEvents<C::Event>, Problem> {
        let events = append.events.iter().zip(places.iter().copied());
        events
            .map(|(event, (place, version, position))| {
                let recorded = RecordedEvent {
                    position,
                    stream_id: event.stream_id.clone(),
                    version: StreamVersion::new(version),
                    event_id: event.event_id,
                    event_type: event.event_type.clone(),
                    payload: event.payload.clone(),
                    metadata: event.metadata.clone(),
                    correlation_id: append.correlation_id,
                    causation_id: append.causation_id,
                    recorded_at: appended.recorded_at,
                };
                Ok((place, recorded.decode()?))
            })
            .collect()
    }

    /// Applies the events of declared streams to the pending state. Those of discovered streams do
    /// not belong to it.
    fn advance_state(
        &mut self,
        own: &[(usize, StoredEvent<C::Event>)],
        appended: &Appended,
    ) -> Result<(), Problem> {
        let (Some(pending), Some(snapshots)) = (&mut self.pending_state, self.command.snapshots())
        else {
            return Ok(());
        };
        let before = &pending.snapshot;
        let mut of_declared = own
            .iter()
            .filter(|(place, _)| *place < before.streams.len())
            .peekable();
        let state = if of_declared.peek().is_some() {
            let state = snapshots.decode(&before.state)?;
            let state =
                of_declared.fold(state, |state, (_, event)| self.command.apply(state, event));
            snapshots.encode(&state)?
        } else {
            before.state.clone()
        };
        let streams = before.streams.iter().map(|(stream, _)| stream.clone());
        let streams = streams.zip(appended.versions.iter().copied());
        pending.after = Some(Snapshot::new(before.name.clone(), streams, state));
        pending.position = appended.last_position;
        Ok(())
    }

    /// Adds the events to the pending streams, all of which the append has checked.
    fn advance_streams(&mut self, own: OwnEvents<C::Event>, appended: &Appended) {
        // The pending streams follow one another.
        let first = self.pending_streams.first().map_or(0, |one| one.place);
        for pending in &mut self.pending_streams {
            if let Some(version) = appended.versions.get(pending.place) {
                pending.tail.version = *version;
                pending.tail.position = appended.last_position;
            }
        }
        for (place, mut event) in own {
            let pending = place.checked_sub(first);
            if let Some(pending) = pending.and_then(|index| self.pending_streams.get_mut(index)) {
                event.stream_id = pending.stream.clone();
                pending.tail.events.push(Arc::new(event));
            }
        }
    }

    /// Caches what is pending. Returns the state to save in the store, if there is one.
    pub(super) fn keep_in_caches(&mut self) -> Option<Snapshot> {
        if let Some(cache) = self.event_cache() {
            for PendingStream {
                stream,
                known,
                tail,
                ..
            } in self.pending_streams.drain(..)
            {
                cache.add(&stream, known, tail);
            }
        }
        let PendingState {
            snapshot,
            position,
            after,
            in_store,
        } = self.pending_state.take()?;
        let Some(cache) = &self.options.state_cache else {
            return in_store.then_some(snapshot);
        };
        let to_save = in_store.then(|| snapshot.clone());
        let snapshot = after.unwrap_or(snapshot);
        cache.put(KnownState { snapshot, position });
        to_save
    }

    /// Saves a state in the store. A failure to do so is not a failure of the command.
    pub(super) async fn save(&self, snapshot: &Snapshot) {
        let saving = self.store.save_snapshot(snapshot);
        if let Err(error) = self.observer.phase(Phase::SaveSnapshot, saving).await {
            self.observer.snapshot_failed(&error);
        }
    }
}
