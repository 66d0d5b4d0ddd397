//! [`run_process_manager`]: starts a process manager under its names.

use std::convert::Infallible;

use super::error::Kind;
use super::names::Names;
use super::record::Timeout;
use super::runner::Runner;
use super::{ProcessError, ProcessManager, ProcessOptions};
use crate::consumer::Consumer;
use crate::durable::SubscriptionStore;
use crate::store::Filter;
use crate::values::{ConsumerName, InvalidValue};

/// Runs a process manager forever: handles all events from the first one, then those to come, and
/// all timeouts. It may run in several processes at once; they share the work.
///
/// To stop it, drop the future. Another runner, or the next one, completes its work. Temporary
/// failures, such as a lost connection, are tried again. A trigger that keeps failing is parked,
/// after [`on_error`](ProcessManager::on_error) was called.
///
/// ```
/// use std::time::Duration;
///
/// use eventcore::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, Event)]
/// enum OrderEvent {
///     Placed { item: StreamId },
///     Reserved,
///     Refused,
/// }
///
/// #[derive(Command)]
/// struct Reserve {
///     #[stream]
///     order: StreamId,
///     #[stream]
///     item: StreamId,
/// }
///
/// #[derive(Command)]
/// struct Refuse {
///     #[stream]
///     order: StreamId,
/// }
///
/// impl CommandLogic for Reserve {
///     type State = bool;
///     type Event = OrderEvent;
///
///     fn apply(&self, taken: bool, stored: &StoredEvent<OrderEvent>) -> bool {
///         taken || stored.stream_id == self.item
///     }
///
///     fn handle(&self, taken: bool, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
///         require!(!taken, "it is sold out");
///         let mut events = NewEvents::new();
///         emit!(events, streams.order, OrderEvent::Reserved);
///         emit!(events, streams.item, OrderEvent::Reserved);
///         Ok(events)
///     }
/// }
///
/// impl CommandLogic for Refuse {
///     type State = ();
///     type Event = OrderEvent;
///
///     fn apply(&self, _: (), _: &StoredEvent<OrderEvent>) {}
///
///     fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
///         let mut events = NewEvents::new();
///         emit!(events, streams.order, OrderEvent::Refused);
///         Ok(events)
///     }
/// }
///
/// /// Reserves what is ordered, and refuses the order when that cannot be done.
/// struct Fulfilment;
///
/// /// Whether the order is decided on.
/// #[derive(Default, Serialize, Deserialize)]
/// struct Decided(bool);
///
/// impl<S: EventStore> ProcessManager<S> for Fulfilment {
///     type Event = OrderEvent;
///     type State = Decided;
///
///     fn name(&self) -> &str {
///         "fulfilment"
///     }
///
///     fn filter(&self) -> Filter {
///         Filter::all().stream_prefix("order-")
///     }
///
///     fn process_of(&self, event: &StoredEvent<OrderEvent>) -> Option<ProcessId> {
///         ProcessId::new(event.stream_id.as_str()).ok()
///     }
///
///     fn react(
///         &self,
///         Decided(decided): Decided,
///         trigger: Trigger<'_, OrderEvent>,
///         reaction: &mut Reaction<S>,
///     ) -> Decided {
///         let Ok(order) = StreamId::new(reaction.process().as_str()) else {
///             return Decided(decided);
///         };
///         match trigger {
///             Trigger::Event(stored) => match &stored.event {
///                 OrderEvent::Placed { item } => {
///                     let item = item.clone();
///                     reaction.execute(Reserve { order, item });
///                     reaction.timeout("too late", Duration::from_secs(3600));
///                 }
///                 OrderEvent::Reserved | OrderEvent::Refused => return Decided(true),
///             },
///             _ if decided => reaction.end(),
///             // It was rejected, or took too long.
///             _ => reaction.execute(Refuse { order }),
///         }
///         Decided(decided)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = InMemoryEventStore::new();
/// for order in ["order-1", "order-2"] {
///     let order = StreamId::new(order)?;
///     let item = StreamId::new("item-lamp")?;
///     let placed = NewEvent::encode(order.clone(), &OrderEvent::Placed { item })?;
///     store.append(&Append::new().stream(order, ExpectedVersion::Exactly(0)).event(placed)).await?;
/// }
/// // Until there is nothing to do; without end with run_process_manager.
/// run_process_manager_until_idle(&store, &Fulfilment).await?;
///
/// for (order, became) in [("order-1", "Reserved"), ("order-2", "Refused")] {
///     let events = store.read_stream(&ReadStream::new(StreamId::new(order)?)).await?;
///     assert_eq!(events[1].event_type, became);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The name of the manager is not valid; the manager has run under its name with another filter or
/// other options; or the store refuses a request.
pub async fn run_process_manager<S, P>(store: &S, manager: &P) -> Result<Infallible, ProcessError>
where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<S>,
{
    let options = ProcessOptions::new();
    loop {
        // Without `until_idle` this returns only errors.
        run_process_manager_with(store, manager, &options).await?;
    }
}

/// Runs a process manager until there is nothing to do: every event of its processes, including
/// those of its own commands, is handled, held by another runner, parked, or waiting for a retry.
/// Timeouts that are not due are left. For tests, and for jobs that run now and then.
///
/// # Errors
///
/// Like [`run_process_manager`]; or a trigger cannot be handled, or an event does not fit the
/// manager's event type. The trigger is given back and tried again after a while.
pub async fn run_process_manager_until_idle<S, P>(
    store: &S,
    manager: &P,
) -> Result<(), ProcessError>
where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<S>,
{
    let options = ProcessOptions::new().until_idle();
    run_process_manager_with(store, manager, &options).await
}

/// Like [`run_process_manager`], or like [`run_process_manager_until_idle`] if the options say so,
/// with your own options.
///
/// # Errors
///
/// Like these two functions.
pub async fn run_process_manager_with<S, P>(
    store: &S,
    manager: &P,
    options: &ProcessOptions,
) -> Result<(), ProcessError>
where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<S>,
{
    let name_failed = |invalid| ProcessError::new(manager.name(), Kind::Name(invalid));
    let names = Names::new(manager.name()).map_err(name_failed)?;
    let of_timeouts = of_timeouts(&names).map_err(name_failed)?;
    let consumer = match &options.consumer {
        Some(name) => name.clone(),
        None => ConsumerName::new(manager.name()).map_err(name_failed)?,
    };
    let runner = Runner {
        store,
        manager,
        options,
        names,
    };
    let (events, timeouts) = (&runner.names.events, &runner.names.timeouts);
    let definition = options.of_events(manager.filter());
    runner.create(events, &definition).await?;
    let definition = options.of_timeouts(of_timeouts);
    runner.create(timeouts, &definition).await?;

    let [events, timeouts] = [events, timeouts].map(|name| (store.clone(), name.clone()));
    let settings = options.of_consumers();
    let events = Consumer::with_options(events.0, events.1, consumer.clone(), settings.clone());
    let timeouts = Consumer::with_options(timeouts.0, timeouts.1, consumer, settings);
    if options.until_idle {
        return Box::pin(runner.until_idle(events, timeouts)).await;
    }
    match Box::pin(runner.for_ever(events, timeouts)).await? {}
}

/// A filter for the timeouts of a manager.
fn of_timeouts(names: &Names) -> Result<Filter, InvalidValue> {
    let filter = Filter::all().stream_prefix(names.timeout_prefix());
    Ok(filter.event_type(Timeout::event_type()?))
}
