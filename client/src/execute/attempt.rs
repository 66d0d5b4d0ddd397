//! One attempt, up to the append: read the streams, fold them into state, discover and read further
//! streams, and let the command decide.

use std::mem;

use super::CompanionEvent;
use super::cached_read::decoded;
use super::error::Failure;
use super::observe::Phase;
use super::run::Run;
use crate::command::StreamList;
use crate::command::{
    AsyncCommandLogic, CommandError, Declaration, NewEvents, StreamResolver, Streams,
};
use crate::snapshot::Snapshots;
use crate::store::{Append, EventStore, NewEvent, ReadStreams, Snapshot, StoreError, StreamsRead};
use crate::values::{Payload, Position, SnapshotName, StreamVersion};

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
    /// Whether it rests on a cached state whose streams were not read since.
    pub(super) is_unread: bool,
    /// An error if the command decided against it.
    pub(super) verdict: Result<(), CommandError>,
}

/// The state of the command so far, and the streams that it was folded from.
pub(super) struct FoldedState<T> {
    pub(super) state: T,
    /// The state as it is stored, if no event was applied to it since it was decoded.
    pub(super) encoded: Option<Payload>,
    pub(super) streams: StreamList,
    /// The version of each stream up to which the state includes it.
    pub(super) versions: Vec<StreamVersion>,
    discoveries: usize,
    /// Whether the state started from what is in this process's caches.
    pub(super) is_from_cache: bool,
    /// Whether something of that was taken without reading new events.
    pub(super) is_unread: bool,
    /// The earliest position of an append that what is cached rests on.
    pub(super) known_position: Option<Position>,
}

impl<S: EventStore, C: AsyncCommandLogic> Run<'_, S, C> {
    /// Reads the command's streams and lets it decide on them.
    pub(super) async fn decide(&mut self) -> Result<Decision, Failure> {
        let mut declaration = Declaration::new();
        let handles = self.command.declare(&mut declaration);
        let (streams, fields) = declaration.into_streams();
        self.pending_state = None;
        self.pending_streams.clear();
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
        // on either counts only after a check. Nor does a decision to write nothing count without
        // one if what is cached rests on an append: the store may be in another history.
        let is_doubtful = (folded.discoveries > 0 || folded.is_from_cache) && verdict.is_err()
            || folded.known_position.is_some() && events.is_empty();
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
            is_unread: folded.is_unread,
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
            encoded: None,
            streams,
            versions: Vec::new(),
            discoveries: 0,
            is_from_cache: false,
            is_unread: false,
            known_position: None,
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
        self.pending_state = self.pending_state(name, &snapshots, &mut folded, events);
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
            Some(known) => {
                folded.is_from_cache = true;
                folded.known_position = known.position;
                if self.skips_read && known.position.is_some() {
                    return self.take_unread(known.snapshot, snapshots, folded).await;
                }
                let rest = known.snapshot.rest().up_to_date();
                let reading = self.store.read_streams(&rest);
                let read = self.observer.phase(Phase::Read, reading).await?;
                (Some(known.snapshot), read)
            }
            None => {
                let reading = self.store.read_from_snapshot(name, streams);
                self.observer.phase(Phase::Read, reading).await?
            }
        };
        match snapshot.map(|snapshot| (snapshots.decode(&snapshot.state), snapshot.state)) {
            None => {}
            Some((Ok(state), encoded)) => {
                folded.state = state;
                folded.encoded = Some(encoded);
            }
            Some((Err(error), _)) => {
                self.observer.snapshot_failed(&error);
                return self.read_new(folded).await;
            }
        }
        self.fold(folded, read)
    }

    /// Takes a cached state as it is. The append finds out whether its streams have changed.
    async fn take_unread(
        &mut self,
        snapshot: Snapshot,
        snapshots: &Snapshots<C::State>,
        folded: &mut FoldedState<C::State>,
    ) -> Result<usize, Failure> {
        match snapshots.decode(&snapshot.state) {
            Ok(state) => {
                folded.state = state;
                folded.encoded = Some(snapshot.state);
                let versions = snapshot.streams.into_iter().map(|(_, version)| version);
                folded.versions.extend(versions);
                folded.is_unread = true;
                Ok(0)
            }
            Err(error) => {
                self.observer.snapshot_failed(&error);
                self.read_new(folded).await
            }
        }
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
        if let Some(cache) = self.event_cache() {
            return self.read_after_cached(cache, folded).await;
        }
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
        if events > 0 {
            folded.encoded = None;
        }
        let mut state = mem::take(&mut folded.state);
        folded.state = self.observer.step(Phase::Fold, || {
            for event in read.events {
                state = self.command.apply(state, &decoded(event)?);
            }
            Ok::<_, Failure>(state)
        })?;
        folded.versions.extend(read.versions);
        Ok(events)
    }

    /// The streams of the append, each at the version that was read.
    fn append_at(&self, folded: &FoldedState<C::State>) -> Append {
        let mut append = Append::new()
            .correlation_id(self.correlation_id)
            .causation_id(self.causation_id);
        let versions = folded.versions.iter().map(|version| version.exactly());
        let streams = folded.streams.since(0).iter().cloned();
        append.streams = streams.zip(versions).collect();
        append.known_position = folded.known_position;
        append
    }
}
