//! Commands: which streams one declares ([`CommandStreams`]) and what it decides
//! ([`CommandLogic`]).

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use crate::{CommandError, Event, NewEvents, StoredEvent, StreamId};

/// The streams of a command. Write `#[derive(Command)]` for it.
///
/// The derive makes a struct named after the command, `TransferMoneyStreams` for `TransferMoney`, with
/// a handle for each field marked `#[stream]`: a [`Stream`] for a `StreamId`, an `Option` of one for
/// an `Option<StreamId>`, a `Vec` of them for a `Vec<StreamId>`.
pub trait CommandStreams: Send + Sync {
    /// A handle for each declared stream.
    type StreamSet: Send;

    /// Declares every stream that the command reads, and returns the handles.
    fn declare(&self, declaration: &mut Declaration<Self>) -> Self::StreamSet;
}

/// A command: what it learns from its streams, and what it decides.
pub trait CommandLogic: CommandStreams {
    /// What the command knows after reading its streams.
    type State: Default + Send;

    /// The events in its streams.
    type Event: Event;

    /// Takes one event into account. Events come stream by stream in the order of declaration, in
    /// each in the order of versions. It must not fail: what is stored has happened.
    fn apply(&self, state: Self::State, event: &StoredEvent<Self::Event>) -> Self::State;

    /// Decides: the events to be written, or why not. It may run several times for one execution, so
    /// it should do nothing else.
    ///
    /// # Errors
    ///
    /// A business rule forbids it ([`CommandError::rejected`], or the macro
    /// [`require!`](crate::require)). Nothing is written then and nothing is tried again.
    fn handle(
        &self,
        state: Self::State,
        streams: Self::StreamSet,
    ) -> Result<NewEvents<Self>, CommandError>;
}

/// A handle of a stream that a command of type `C` has declared: the permission to write to it.
///
/// Only [`Declaration::stream`] makes one, so a stream that was not declared cannot be written to.
pub struct Stream<C: ?Sized> {
    id: StreamId,
    command: PhantomData<fn() -> C>,
}

/// Collects the streams that a command declares. Only the execution of a command makes one.
pub struct Declaration<C: ?Sized> {
    streams: Vec<StreamId>,
    index: HashMap<StreamId, usize>,
    command: PhantomData<fn() -> C>,
}

/// A type that can be a field marked `#[stream]`, beside `Option` and `Vec` of such a type. A newtype
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
}

impl<C: ?Sized> Declaration<C> {
    /// Declares a stream and returns its handle. A stream that is declared twice is read and checked
    /// once.
    pub fn stream(&mut self, id: &StreamId) -> Stream<C> {
        if !self.index.contains_key(id) {
            self.index.insert(id.clone(), self.streams.len());
            self.streams.push(id.clone());
        }
        Stream {
            id: id.clone(),
            command: PhantomData,
        }
    }

    pub(crate) fn new() -> Self {
        Self {
            streams: Vec::new(),
            index: HashMap::new(),
            command: PhantomData,
        }
    }

    /// The declared streams, each once, in the order of their declaration.
    pub(crate) fn into_streams(self) -> Vec<StreamId> {
        self.streams
    }
}

impl<C: ?Sized> Clone for Stream<C> {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            command: PhantomData,
        }
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
