//! The streams of one execution: what a command declares ([`Declaration`]), and the handles through
//! which it writes ([`Stream`], [`Streams`]).

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use super::{CommandError, CommandStreams};
use crate::values::StreamId;

/// A handle of a stream that a command of type `C` has declared or discovered: the permission to
/// write to it.
///
/// Only [`Declaration::stream`] and [`Streams::discovered`] make handles, so a command cannot write
/// to a stream that is not checked.
pub struct Stream<C: ?Sized> {
    id: StreamId,
    command: PhantomData<fn() -> C>,
}

/// Collects the streams that a command declares. Only the execution of a command makes one.
pub struct Declaration<C: ?Sized> {
    streams: StreamList,
    /// How many streams each field has.
    fields: Vec<usize>,
    command: PhantomData<fn() -> C>,
}

/// The handles that a command's `handle` receives: those of declared streams under the names of
/// their fields (`streams.from`), and those of [discovered](Self::discovered) streams.
pub struct Streams<C: CommandStreams + ?Sized> {
    declared: C::StreamSet,
    all: StreamList,
    /// How many of the streams were declared.
    count_declared: usize,
}

/// A type that can be a field marked `#[stream]`, as can an `Option` or a `Vec` of it. A newtype
/// around [`StreamId`] can implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[stream]` field",
    label = "not a stream id",
    note = "a `#[stream]` field is a `StreamId`, an `Option<StreamId>`, a `Vec<StreamId>`, or one of \
            these with a type that implements `eventcore::StreamField`"
)]
pub trait StreamField {
    /// The stream.
    fn stream_id(&self) -> &StreamId;
}

/// What [`emit!`](crate::emit) accepts as a stream: a handle of a stream that the command `C` has
/// declared or discovered.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the handle of a stream that the command `{C}` declares",
    label = "not a handle of this command",
    note = "mark the command's field with #[stream] and write to `streams.<field>`; to a stream that the command's \
            resolver found, write to `streams.discovered(&id)?`"
)]
pub trait StreamHandle<C: ?Sized>: sealed::Sealed {
    /// The stream.
    fn stream_id(&self) -> &StreamId;
}

mod sealed {
    /// Keeps other crates from making handles.
    pub trait Sealed {}
    impl<C: ?Sized> Sealed for super::Stream<C> {}
    impl<T: Sealed + ?Sized> Sealed for &T {}
}

impl<C: ?Sized> StreamHandle<C> for Stream<C> {
    fn stream_id(&self) -> &StreamId {
        &self.id
    }
}

impl<C: ?Sized, T: StreamHandle<C> + ?Sized> StreamHandle<C> for &T {
    fn stream_id(&self) -> &StreamId {
        (**self).stream_id()
    }
}

impl StreamField for StreamId {
    fn stream_id(&self) -> &StreamId {
        self
    }
}

impl<C: ?Sized> Stream<C> {
    /// The stream.
    pub fn id(&self) -> &StreamId {
        &self.id
    }

    fn to(id: &StreamId) -> Self {
        Self {
            id: id.clone(),
            command: PhantomData,
        }
    }
}

impl<C: ?Sized> Declaration<C> {
    /// Declares a stream and returns its handle. A stream that is declared twice is read and
    /// checked once.
    pub fn stream(&mut self, id: &StreamId) -> Stream<C> {
        if let Some(field) = self.fields.last_mut() {
            *field += 1;
        }
        self.streams.add(id);
        Stream::to(id)
    }

    /// Starts the streams of the next field. The derive calls it, because the same streams in other
    /// fields make another state.
    pub fn field(&mut self) {
        self.fields.push(0);
    }

    pub(crate) fn new() -> Self {
        Self {
            streams: StreamList::default(),
            fields: Vec::new(),
            command: PhantomData,
        }
    }

    /// The declared streams, each once, in the order of their declaration; and the number of
    /// streams in each field, unless every field has exactly one.
    pub(crate) fn into_streams(self) -> (StreamList, Option<Vec<usize>>) {
        let is_plain = self.fields.iter().all(|field| *field == 1);
        (self.streams, (!is_plain).then_some(self.fields))
    }
}

impl<C: CommandStreams + ?Sized> Streams<C> {
    /// The handle of a stream that the command's [`StreamResolver`](crate::StreamResolver) has
    /// named.
    ///
    /// # Errors
    ///
    /// The resolver has not named this stream, so the stream was not read and is not checked. The
    /// error ends the execution
    /// ([`is_undeclared_stream`](crate::ExecuteError::is_undeclared_stream)).
    pub fn discovered(&self, id: &StreamId) -> Result<Stream<C>, CommandError> {
        if self.all.has(id) {
            Ok(Stream::to(id))
        } else {
            Err(CommandError::undeclared_stream(id.clone()))
        }
    }

    /// The handles of all discovered streams, in the order in which the resolver named them.
    pub fn all_discovered(&self) -> impl Iterator<Item = Stream<C>> {
        self.all.since(self.count_declared).iter().map(Stream::to)
    }

    pub(crate) fn new(declared: C::StreamSet, all: StreamList, count_declared: usize) -> Self {
        Self {
            declared,
            all,
            count_declared,
        }
    }
}

impl<C: CommandStreams + ?Sized> Deref for Streams<C> {
    type Target = C::StreamSet;

    fn deref(&self) -> &C::StreamSet {
        &self.declared
    }
}

/// Streams in the order in which they were added, each once.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamList {
    streams: Vec<StreamId>,
    /// The same streams hashed, once there are so many that a search through the list takes longer.
    index: HashSet<StreamId>,
}

/// Up to this many streams the list is searched.
const FEW: usize = 8;

impl StreamList {
    /// Adds a stream unless the list contains it.
    pub(crate) fn add(&mut self, id: &StreamId) {
        if self.has(id) {
            return;
        }
        self.streams.push(id.clone());
        if self.streams.len() > FEW {
            let indexed = self.index.len();
            self.index
                .extend(self.streams.iter().skip(indexed).cloned());
        }
    }

    pub(crate) fn has(&self, id: &StreamId) -> bool {
        if self.streams.len() > FEW {
            self.index.contains(id)
        } else {
            self.streams.contains(id)
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// All streams but the first `count`.
    pub(crate) fn since(&self, count: usize) -> &[StreamId] {
        self.streams.get(count..).unwrap_or_default()
    }
}

impl<C: ?Sized> Clone for Stream<C> {
    fn clone(&self) -> Self {
        Self::to(&self.id)
    }
}

impl<C: ?Sized> fmt::Debug for Stream<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.id).finish()
    }
}

impl<C: ?Sized> fmt::Debug for Declaration<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Declaration").field(&self.streams).finish()
    }
}

impl<C: CommandStreams + ?Sized> fmt::Debug for Streams<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Streams").field(&self.all.streams).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_listed_once_whether_there_are_few_or_many() {
        let id = |n: usize| StreamId::new(format!("s-{n}")).unwrap();
        let mut list = StreamList::default();
        for n in 0..3 * FEW {
            for again in [n, 0, n / 2] {
                list.add(&id(again));
            }
            assert_eq!(list.len(), n + 1);
            assert!(list.has(&id(n)) && !list.has(&id(n + 1)));
        }
        assert_eq!(list.since(3 * FEW - 1), [id(3 * FEW - 1)]);
        assert!(list.since(1_000).is_empty());
    }
}
