//! Commands: which streams a command declares ([`CommandStreams`]), what it decides
//! ([`CommandLogic`], [`AsyncCommandLogic`]), and which further streams it discovers
//! ([`StreamResolver`]).

mod error;
mod new_events;
mod streams;

use std::future::{self, Future};

pub use self::error::CommandError;
pub use self::new_events::NewEvents;
pub(crate) use self::streams::StreamList;
pub use self::streams::{Declaration, Stream, StreamField, StreamHandle, Streams};
use crate::snapshot::Snapshots;
use crate::store::{Event, StoredEvent};
use crate::values::StreamId;

/// The streams of a command. Implement it with `#[derive(Command)]`.
///
/// The derive makes a struct named after the command, for example `TransferMoneyStreams` for
/// `TransferMoney`. The struct has a handle for each field marked `#[stream]`: a
/// [`Stream`](crate::Stream) for a `StreamId`, an `Option` of one for an `Option<StreamId>`, a
/// `Vec` of them for a `Vec<StreamId>`.
pub trait CommandStreams: Send + Sync {
    /// A handle for each declared stream.
    type StreamSet: Send;

    /// Declares every stream that the command reads, and returns the handles.
    fn declare(&self, declaration: &mut Declaration<Self>) -> Self::StreamSet;

    /// The name of the command in traces and metrics. The derive returns the name of the type.
    fn command_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// A command: what it learns from its streams, and what it decides.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    note = "derive `Command` for its streams and implement `eventcore::CommandLogic`, or `AsyncCommandLogic` if \
            its decision has to await something"
)]
pub trait CommandLogic: CommandStreams {
    /// What the command knows after reading its streams.
    type State: Default + Send;

    /// The events in its streams, all of them: an event that this type does not know fails the
    /// command. Use one enum for all streams of one kind.
    type Event: Event;

    /// Applies one event to the state. The events of the declared streams come first, in the order
    /// of declaration, then those of discovered streams; within a stream they come by version. It
    /// cannot fail, because stored events have happened.
    fn apply(&self, state: Self::State, event: &StoredEvent<Self::Event>) -> Self::State;

    /// Decides: returns the events to write, or the reason against it. It may run several times in
    /// one execution, so it must not have other effects.
    ///
    /// # Errors
    ///
    /// A business rule forbids the command ([`CommandError::rejected`], or the macro
    /// [`require!`](crate::require)). Nothing is written and nothing is tried again.
    fn handle(
        &self,
        state: Self::State,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError>;

    /// Finds further streams in the state: `Some(self)` for a command that is a [`StreamResolver`].
    /// By default `None`.
    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Self::State>> {
        None
    }

    /// How to save the state, so that later executions read only new events. By default the state
    /// is not saved.
    fn snapshots(&self) -> Option<Snapshots<Self::State>> {
        None
    }
}

/// A command whose decision awaits something, such as the answer of another service. Every
/// [`CommandLogic`] is also an `AsyncCommandLogic`, so both are executed the same way.
///
/// ```
/// use eventcore::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize, Event)]
/// # struct Priced { cents: u64 }
/// # async fn price_of_today() -> Option<u64> { Some(5) }
/// #[derive(Command)]
/// struct SetPrice {
///     #[stream]
///     product: StreamId,
/// }
///
/// impl AsyncCommandLogic for SetPrice {
///     type State = ();
///     type Event = Priced;
///
///     fn apply(&self, (): (), _: &StoredEvent<Priced>) {}
///
///     async fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
///         let price = price_of_today().await;
///         require!(price.is_some(), "there is no price today");
///         let mut events = NewEvents::new();
///         emit!(events, streams.product, Priced { cents: price.unwrap_or_default() });
///         Ok(events)
///     }
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = InMemoryEventStore::new();
/// assert!(execute(&store, &SetPrice { product: "product-7".parse()? }).await?.wrote());
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command",
    note = "derive `Command` for its streams and implement `eventcore::CommandLogic`, or `AsyncCommandLogic` if \
            its decision has to await something"
)]
pub trait AsyncCommandLogic: CommandStreams {
    /// What the command knows after reading its streams.
    type State: Default + Send;

    /// The events in its streams.
    type Event: Event;

    /// Like [`CommandLogic::apply`].
    fn apply(&self, state: Self::State, event: &StoredEvent<Self::Event>) -> Self::State;

    /// Like [`CommandLogic::handle`], but may await. If a stream changes meanwhile, the command
    /// decides again.
    ///
    /// # Errors
    ///
    /// Like [`CommandLogic::handle`].
    fn handle(
        &self,
        state: Self::State,
        streams: Streams<Self>,
    ) -> impl Future<Output = Result<NewEvents<Self>, CommandError>> + Send;

    /// Like [`CommandLogic::stream_resolver`].
    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Self::State>> {
        None
    }

    /// Like [`CommandLogic::snapshots`].
    fn snapshots(&self) -> Option<Snapshots<Self::State>> {
        None
    }
}

/// Finds further streams that a command depends on, in the state that it has read: for example an
/// order names a payment method, whose stream matters too.
///
/// Each stream that it names is read once. When the command's events are written, the stream is
/// checked like a declared one. The resolver is called again after each such read, until it names
/// no new stream. The command writes to a discovered stream through the handle that
/// [`Streams::discovered`] returns.
pub trait StreamResolver<State>: Sync {
    /// The streams that this state refers to. It may include streams that are already known.
    fn discover_related_streams(&self, state: &State) -> Vec<StreamId>;
}

impl<C: CommandLogic + ?Sized> AsyncCommandLogic for C {
    type State = C::State;
    type Event = C::Event;

    fn apply(&self, state: Self::State, event: &StoredEvent<Self::Event>) -> Self::State {
        CommandLogic::apply(self, state, event)
    }

    fn handle(
        &self,
        state: Self::State,
        streams: Streams<Self>,
    ) -> impl Future<Output = Result<NewEvents<Self>, CommandError>> + Send {
        future::ready(CommandLogic::handle(self, state, streams))
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Self::State>> {
        CommandLogic::stream_resolver(self)
    }

    fn snapshots(&self) -> Option<Snapshots<Self::State>> {
        CommandLogic::snapshots(self)
    }
}
