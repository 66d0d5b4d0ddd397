//! What makes an append or a read malformed, whatever the store contains.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use eventcore_rules::{MAX_FILTER_ELEMENTS, MAX_STREAMS_PER_APPEND};

use crate::store::{Append, Filter, StoreError, sendable};
use crate::values::{EventType, StreamId};

/// Up to this many things are compared one by one, which is faster than hashing them.
pub(super) const FEW: usize = 8;

/// The declared streams of a checked append, by their index.
pub(super) struct DeclaredStreams<'a> {
    append: &'a Append,
    /// Only if there are many.
    places: Option<HashMap<&'a StreamId, usize>>,
}

impl<'a> DeclaredStreams<'a> {
    /// The index at which the append declares this stream.
    pub(super) fn place(&self, stream: &StreamId) -> Option<usize> {
        let streams = &self.append.streams;
        match &self.places {
            Some(places) => places.get(stream).copied(),
            None => streams.iter().position(|(declared, _)| declared == stream),
        }
    }

    fn new(append: &'a Append) -> Self {
        let streams = append.streams.iter().map(|(stream, _)| stream);
        let places = (streams.len() > FEW).then(|| streams.zip(0..).collect());
        Self { append, places }
    }
}

/// Checks an append in the same order as the store on PostgreSQL: values that cannot be sent, then
/// the streams, then each event, then whether an id appears twice. Names the arguments like the
/// extension.
pub(super) fn append(append: &Append) -> Result<DeclaredStreams<'_>, StoreError> {
    // First, as a client of PostgreSQL does before it sends anything.
    sendable::check(append)?;
    if append.streams.is_empty() {
        return Err(StoreError::malformed("streams", None, "is empty"));
    }
    streams_once(append.streams.iter().map(|(stream, _)| stream))?;
    let declared = DeclaredStreams::new(append);
    let undeclared = append
        .events
        .iter()
        .find(|event| declared.place(&event.stream_id).is_none());
    if let Some(event) = undeclared {
        return Err(StoreError::undeclared_stream(event.stream_id.clone()));
    }
    match repeated(append.events.iter().map(|event| event.event_id)) {
        Some(index) => Err(StoreError::malformed(
            "event_ids",
            Some(index),
            "appears twice",
        )),
        None => Ok(declared),
    }
}

/// Checks that there are not too many streams and that each is listed once.
pub(super) fn streams_once<'a>(
    streams: impl ExactSizeIterator<Item = &'a StreamId> + Clone,
) -> Result<(), StoreError> {
    if streams.len() > MAX_STREAMS_PER_APPEND {
        let reason = format!(
            "has {} elements, more than {MAX_STREAMS_PER_APPEND}",
            streams.len()
        );
        return Err(StoreError::malformed("streams", None, reason));
    }
    match repeated(streams.clone()).and_then(|index| Some((index, streams.clone().nth(index)?))) {
        Some((index, stream)) => {
            let reason = format!("names {stream:?} again");
            Err(StoreError::malformed("streams", Some(index), reason))
        }
        None => Ok(()),
    }
}

/// The index of the first repeated element.
fn repeated<T: Eq + Hash>(mut all: impl ExactSizeIterator<Item = T> + Clone) -> Option<usize> {
    if all.len() <= FEW {
        let before = all.clone();
        return all
            .enumerate()
            .find(|(index, one)| before.clone().take(*index).any(|other| other == *one))
            .map(|(index, _)| index);
    }
    let mut once = HashSet::with_capacity(all.len());
    all.position(|one| !once.insert(one))
}

/// Checks that a filter has no more elements than a store looks through, and none that cannot be
/// sent.
pub(super) fn filter(filter: &Filter) -> Result<(), StoreError> {
    not_too_many("stream_prefixes", filter.stream_prefixes.len())?;
    let mut prefixes = filter.stream_prefixes.iter();
    if let Some(index) = prefixes.position(|prefix| prefix.contains('\0')) {
        let reason = "has a character U+0000";
        return Err(StoreError::malformed(
            "stream_prefixes",
            Some(index),
            reason,
        ));
    }
    types(&filter.event_types)
}

/// The same for a read that is filtered by event types alone.
pub(super) fn types(types: &[EventType]) -> Result<(), StoreError> {
    not_too_many("event_types", types.len())
}

fn not_too_many(argument: &str, elements: usize) -> Result<(), StoreError> {
    if elements <= MAX_FILTER_ELEMENTS {
        return Ok(());
    }
    let reason = format!("has {elements} elements, more than {MAX_FILTER_ELEMENTS}");
    Err(StoreError::malformed(argument, None, reason))
}
