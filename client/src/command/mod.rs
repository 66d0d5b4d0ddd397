//! Commands: which streams one declares ([`CommandStreams`]), what it decides ([`CommandLogic`],
//! [`AsyncCommandLogic`]), and which streams it finds on the way ([`StreamResolver`]).

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

/// The streams of a command. Write `#[derive(Command)]` for it.
///
/// The derive makes a struct named after the command, `TransferMoneyStreams` for `TransferMoney`, with
/// a handle for each field marked `#[stream]`: a [`Stream`](crate::Stream) for a `StreamId`, an
/// `Option` of one for an `Option<StreamId>`, a `Vec` of them for a `Vec<StreamId>`.
pub trait CommandStreams: Send + Sync {
    /// A handle for each declared stream.
    type StreamSet: Send;

    /// Declares every stream that the command reads, and returns the handles.
    fn declare(&self, declaration: &mut Declaration<Self>) -> Self::StreamSet;

    /// What traces and metrics call the command; the derive gives the name of the type.
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

    /// The events in its streams: all of them, for one that this type does not know fails the command. Give
    /// streams of one kind one enum.
    type Event: Event;

    /// Takes one event into account. Events come stream by stream in the order of declaration, then
    /// those of streams that were discovered, in each in the order of versions. It must not fail: what
    /// is stored has happened.
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
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError>;

    /// What finds further streams in the state: `Some(self)` for a command that is a
    /// [`StreamResolver`]. By default nothing does.
    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Self::State>> {
        None
    }

    /// How the state is kept, so that later executions read only what is new. By default it is not.
    fn snapshots(&self) -> Option<Snapshots<Self::State>> {
        None
    }
}

/// A command whose decision awaits something, such as an answer of another service. Every
/// [`CommandLogic`] is one, so that both are executed the same way.
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

    /// As [`CommandLogic::apply`].
    fn apply(&self, state: Self::State, event: &StoredEvent<Self::Event>) -> Self::State;

    /// As [`CommandLogic::handle`], except that it may await. While it does, streams may move; the
    /// command then decides again.
    ///
    /// # Errors
    ///
    /// As [`CommandLogic::handle`].
    fn handle(
        &self,
        state: Self::State,
        streams: Streams<Self>,
    ) -> impl Future<Output = Result<NewEvents<Self>, CommandError>> + Send;

    /// As [`CommandLogic::stream_resolver`].
    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Self::State>> {
        None
    }

    /// As [`CommandLogic::snapshots`].
    fn snapshots(&self) -> Option<Snapshots<Self::State>> {
        None
    }
}

/// Finds streams that a command depends on in what it has read of others: an order names the payment
/// method, whose stream counts too.
///
/// Each stream that it names is read once, and is checked like a declared one when the command's events
/// are written. It is asked again after each such read, until it names nothing new. The command writes to
/// such a stream through the handle that [`Streams::discovered`] gives.
pub trait StreamResolver<State>: Sync {
    /// The streams that this state leads to. It may name streams that are known already.
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
