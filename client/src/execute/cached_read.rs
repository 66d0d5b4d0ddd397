//! Reading streams whose events are partly in this process's cache.

use std::mem;
use std::sync::Arc;

use super::attempt::FoldedState;
use super::error::Failure;
use super::event_cache::{EventCache, KnownStream, Tail};
use super::observe::Phase;
use super::run::Run;
use crate::command::AsyncCommandLogic;
use crate::store::{Event, EventStore, ReadStreams, RecordedEvent, StoredEvent, StreamsRead};
use crate::values::StreamId;

/// A stream that was read through the cache.
pub(super) struct PendingStream<E> {
    pub(super) stream: StreamId,
    /// Its place among the streams of the append.
    pub(super) place: usize,
    pub(super) known: KnownStream<E>,
    /// The events that were read, and those that the command has written.
    pub(super) tail: Tail<E>,
}

impl<'a, S: EventStore, C: AsyncCommandLogic> Run<'a, S, C> {
    /// The cache of events, if the command uses it.
    pub(super) fn event_cache(&self) -> Option<&'a EventCache> {
        let cache = self.options.event_cache.as_ref()?;
        (self.uses_snapshots && self.command.snapshots().is_none()).then_some(cache)
    }

    /// Reads the streams that are listed but not yet read: what is new after the cached events. If
    /// the execution skips reading and all are cached, it reads nothing.
    pub(super) async fn read_after_cached(
        &mut self,
        cache: &EventCache,
        folded: &mut FoldedState<C::State>,
    ) -> Result<usize, Failure> {
        let first = folded.versions.len();
        let streams = folded.streams.since(first).to_vec();
        let known: Vec<_> = streams.iter().map(|stream| cache.get(stream)).collect();
        folded.note_cached(&known);
        let rests_on_appends = |known: &KnownStream<_>| known.position.is_some();
        let skips = self.skips_read
            && known
                .iter()
                .all(|known| known.as_ref().is_some_and(rests_on_appends));
        let known = known
            .into_iter()
            .map(|known| known.unwrap_or_else(KnownStream::unknown));
        let known: Vec<KnownStream<C::Event>> = known.collect();
        let read = if skips {
            folded.is_unread = true;
            StreamsRead {
                versions: known.iter().map(|known| known.version).collect(),
                ..StreamsRead::default()
            }
        } else {
            let request = streams
                .iter()
                .zip(&known)
                .fold(ReadStreams::default(), |read, (stream, known)| {
                    read.stream_after(stream.clone(), known.version)
                })
                .up_to_date();
            let reading = self.store.read_streams(&request);
            self.observer.phase(Phase::Read, reading).await?
        };
        self.fold_after_cached(folded, first, &streams, known, read)
    }

    /// Applies the cached events of each stream, then those that were read.
    fn fold_after_cached(
        &mut self,
        folded: &mut FoldedState<C::State>,
        first: usize,
        streams: &[StreamId],
        known: Vec<KnownStream<C::Event>>,
        read: StreamsRead,
    ) -> Result<usize, Failure> {
        let count = read.events.len();
        self.observer.read(streams.len(), count);
        let mut state = mem::take(&mut folded.state);
        let mut events = read.events.into_iter().peekable();
        let mut pending = Vec::with_capacity(streams.len());
        folded.state = self.observer.step(Phase::Fold, || {
            let places = streams.iter().zip(known).zip(&read.versions);
            for (index, ((stream, known), version)) in places.enumerate() {
                let stream = known.shared_name(stream);
                let mut tail = Vec::new();
                while let Some(mut event) = events.next_if(|event| event.stream_id == stream) {
                    event.stream_id = stream.clone();
                    tail.push(Arc::new(decoded(event)?));
                }
                for event in known.events.iter().chain(&tail) {
                    state = self.command.apply(state, event);
                }
                pending.push(PendingStream {
                    stream,
                    place: first + index,
                    known,
                    tail: Tail {
                        events: tail,
                        version: *version,
                        position: None,
                    },
                });
            }
            Ok::<_, Failure>(state)
        })?;
        self.pending_streams.extend(pending);
        folded.versions.extend(read.versions);
        Ok(count)
    }
}

impl<T> FoldedState<T> {
    /// Notes what the state rests on.
    fn note_cached<E>(&mut self, known: &[Option<KnownStream<E>>]) {
        for known in known.iter().flatten() {
            self.is_from_cache = true;
            let positions = self.known_position.into_iter().chain(known.position);
            self.known_position = positions.min();
        }
    }
}

/// The event in the type of the command's events.
pub(super) fn decoded<E: Event>(event: RecordedEvent) -> Result<StoredEvent<E>, Failure> {
    let (stream_id, version) = (event.stream_id.clone(), event.version);
    event.decode().map_err(|source| Failure::Stored {
        stream_id,
        version,
        source,
    })
}
