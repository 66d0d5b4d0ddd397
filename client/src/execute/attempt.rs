//! One attempt, up to the append: read the streams, fold them into state, discover and read further
//! streams, and let the command decide.

use std::mem;

use super::CompanionEvent;
use super::error::Failure;
use super::observe::Phase;
use super::run::Run;
use crate::command::StreamList;
use crate::command::{
    AsyncCommandLogic, CommandError, Declaration, NewEvents, StreamResolver, Streams,
};
use crate::snapshot::{Folded, Snapshots};
use crate::store::{
    Append, Event, EventStore, NewEvent, ReadStreams, Snapshot, StoreError, StreamsRead,
};
use crate::values::{SnapshotName, StreamVersion};

/// How many times a command may discover further streams. A longer chain is taken for a mistake.
pub(super) const MAX_DISCOVERIES: usize = 100;

/// What the command decided in one attempt.
pub(super) struct Decision {
    /// The command's events and the streams that it decided on, each at the version that it read.
    pub(super) append: Append,
    /// How many of the append's events are the command's.
    pub(super) events: usize,
    /// The versions of the command's streams, which are the first of the append's streams.
    pub(super) versions: Vec<StreamVersion>,
    /// Whether there is something to write or to check.
    pub(super) needs_append: bool,
    /// An error if the command decided against it.
    pub(super) verdict: Result<(), CommandError>,
}

/// A state to put into this process's cache and, if the policy says so, to save in the store.
pub(super) struct PendingSnapshot {
    snapshot: Snapshot,
    in_store: bool,
}

/// The state of the command so far, and the streams that it was folded from.
struct FoldedState<T> {
    state: T,
    streams: StreamList,
    /// The version of each stream up to which the state includes it.
    versions: Vec<StreamVersion>,
    discoveries: usize,
    /// Whether the state started from a state in this process's cache.
    is_from_cache: bool,
}

impl<S: EventStore, C: AsyncCommandLogic> Run<'_, S, C> {
    /// Reads the command's streams and lets it decide on them.
    pub(super) async fn decide(&mut self) -> Result<Decision, Failure> {
        let mut declaration = Declaration::new();
        let handles = self.command.declare(&mut declaration);
        let (streams, fields) = declaration.into_streams();
        self.pending_snapshot = None;
        let mut folded = self.read_declared(streams, fields.as_deref()).await?;
        let declared = folded.streams.len();
        if let Some(resolver) = self.command.stream_resolver() {
            self.discover(resolver, &mut folded).await?;
        }

        let mut append = self.append_at(&folded);
        let streams = Streams::new(handles, folded.streams, declared);
        let handling = self.command.handle(folded.state, streams);
        let (events, verdict) = match self.observer.phase(Phase::Handle, handling).await {
            Ok(events) => (events, Ok(())),
            Err(error) => (NewEvents::new(), Err(error)),
        };
        // Streams that were read one after another may never have had these versions at the same
        // time. And a cached state may include events that the store has lost. So a rejection based
        // on either counts only after a check.
        let is_doubtful = (folded.discoveries > 0 || folded.is_from_cache) && verdict.is_err();
        for (stream, event) in events.iter() {
            let mut event = NewEvent::encode(stream.clone(), event)?;
            event.metadata.clone_from(&self.options.metadata);
            append.events.push(event);
        }
        if let (Some(companion), Ok(())) = (self.companion, &verdict) {
            let CompanionEvent {
                stream,
                version,
                event,
            } = companion;
            append.streams.push((stream.clone(), version.exactly()));
            append.events.push(event.clone());
        }
        Ok(Decision {
            needs_append: !append.streams.is_empty()
                && (is_doubtful
                    || verdict.is_ok() && (self.options.always_check || !append.events.is_empty())),
            append,
            events: events.len(),
            versions: folded.versions,
            verdict,
        })
    }

    /// Reads the declared streams in one call of the store, starting from a snapshot if there is
    /// one.
    async fn read_declared(
        &mut self,
        streams: StreamList,
        fields: Option<&[usize]>,
    ) -> Result<FoldedState<C::State>, Failure> {
        let mut folded = FoldedState {
            state: C::State::default(),
            streams,
            versions: Vec::new(),
            discoveries: 0,
            is_from_cache: false,
        };
        let Some(snapshots) = self.command.snapshots() else {
            self.read_new(&mut folded).await?;
            return Ok(folded);
        };
        let name = snapshots
            .name_for(fields)
            .map_err(|reason| StoreError::malformed("snapshot name", None, reason))?;
        self.cached = Some((name.clone(), folded.streams.since(0).to_vec()));
        let events = if self.uses_snapshots {
            self.read_on(&name, &snapshots, &mut folded).await?
        } else {
            self.read_new(&mut folded).await?
        };
        self.pending_snapshot = self.pending_snapshot(name, &snapshots, &folded, events);
        Ok(folded)
    }

    /// Reads the events after the newest available state. Returns how many events that were.
    async fn read_on(
        &mut self,
        name: &SnapshotName,
        snapshots: &Snapshots<C::State>,
        folded: &mut FoldedState<C::State>,
    ) -> Result<usize, Failure> {
        let streams = folded.streams.since(0);
        let cached = self
            .options
            .state_cache
            .as_ref()
            .and_then(|cache| cache.get(name, streams));
        let (snapshot, read) = match cached {
            Some(snapshot) => {
                folded.is_from_cache = true;
                let rest = snapshot.rest().up_to_date();
                let reading = self.store.read_streams(&rest);
                let read = self.observer.phase(Phase::Read, reading).await?;
                (Some(snapshot), read)
            }
            None => {
                let reading = self.store.read_from_snapshot(name, streams);
                self.observer.phase(Phase::Read, reading).await?
            }
        };
        match snapshot.map(|snapshot| snapshots.decode(&snapshot.state)) {
            None => {}
            Some(Ok(state)) => folded.state = state,
            Some(Err(error)) => {
                self.observer.snapshot_failed(&error);
                return self.read_new(folded).await;
            }
        }
        self.fold(folded, read)
    }

    /// Asks the resolver for further streams and reads them, until it names no new stream.
    async fn discover(
        &mut self,
        resolver: &dyn StreamResolver<C::State>,
        folded: &mut FoldedState<C::State>,
    ) -> Result<(), Failure> {
        loop {
            let find = || resolver.discover_related_streams(&folded.state);
            let related = self.observer.step(Phase::Discover, find);
            let before = folded.streams.len();
            for stream in &related {
                folded.streams.add(stream);
            }
            if folded.streams.len() == before {
                return Ok(());
            }
            folded.discoveries += 1;
            let is_too_many = folded.streams.len() > eventcore_rules::MAX_STREAMS_PER_APPEND;
            if is_too_many || folded.discoveries > MAX_DISCOVERIES {
                return Err(Failure::Runaway {
                    streams: folded.streams.len(),
                    discoveries: folded.discoveries,
                    last: related.into_iter().next_back(),
                });
            }
            self.read_new(folded).await?;
        }
    }

    /// Reads the streams that are listed but not yet read, from their start.
    async fn read_new(&mut self, folded: &mut FoldedState<C::State>) -> Result<usize, Failure> {
        let streams = folded.streams.since(folded.versions.len());
        let request = ReadStreams::new(streams.iter().cloned()).up_to_date();
        let reading = self.store.read_streams(&request);
        let read = self.observer.phase(Phase::Read, reading).await?;
        self.fold(folded, read)
    }

    fn fold(
        &self,
        folded: &mut FoldedState<C::State>,
        read: StreamsRead,
    ) -> Result<usize, Failure> {
        let events = read.events.len();
        self.observer.read(read.versions.len(), events);
        let mut state = mem::take(&mut folded.state);
        folded.state = self.observer.step(Phase::Fold, || {
            for event in read.events {
                let decoded = C::Event::decode(event.event_type.as_str(), &event.payload);
                let decoded = decoded.map_err(|source| Failure::Stored {
                    stream_id: event.stream_id.clone(),
                    version: event.version,
                    source,
                })?;
                state = self.command.apply(state, &event.with_event(decoded));
            }
            Ok::<_, Failure>(state)
        })?;
        folded.versions.extend(read.versions);
        Ok(events)
    }

    /// The state of the declared streams, if it is to be cached or saved.
    fn pending_snapshot(
        &self,
        name: SnapshotName,
        snapshots: &Snapshots<C::State>,
        folded: &FoldedState<C::State>,
        events: usize,
    ) -> Option<PendingSnapshot> {
        let streams = folded.streams.len();
        let in_store = !self.uses_snapshots || snapshots.is_due(Folded { events, streams });
        let in_cache = self.options.state_cache.is_some() && events > 0;
        if !in_store && !in_cache {
            return None;
        }
        match snapshots.encode(&folded.state) {
            Ok(state) => {
                let streams = folded.streams.since(0).iter().cloned();
                let streams = streams.zip(folded.versions.iter().copied());
                let snapshot = Snapshot::new(name, streams, state);
                Some(PendingSnapshot { snapshot, in_store })
            }
            Err(error) => {
                self.observer.snapshot_failed(&error);
                None
            }
        }
    }

    /// Caches and saves a state. A failure to do so is not a failure of the command.
    pub(super) async fn save(&self, PendingSnapshot { snapshot, in_store }: PendingSnapshot) {
        if let Some(cache) = &self.options.state_cache {
            cache.put(&snapshot);
        }
        if in_store {
            let saving = self.store.save_snapshot(&snapshot);
            if let Err(error) = self.observer.phase(Phase::SaveSnapshot, saving).await {
                self.observer.snapshot_failed(&error);
            }
        }
    }

    /// The streams of the append, each at the version that was read.
    fn append_at(&self, folded: &FoldedState<C::State>) -> Append {
        let mut append = Append::new()
            .correlation_id(self.correlation_id)
            .causation_id(self.causation_id);
        let versions = folded.versions.iter().map(|version| version.exactly());
        let streams = folded.streams.since(0).iter().cloned();
        append.streams = streams.zip(versions).collect();
        append
    }
}
