//! [`ProcessManager`]: reacts to events with commands, each carried out once, and with timeouts.

mod accept;
mod error;
mod handle;
mod input;
mod names;
mod options;
mod progress;
mod reaction;
mod record;
mod resume;
mod run;
mod runner;
mod trigger;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::error::ProcessError;
pub use self::options::ProcessOptions;
pub use self::reaction::Reaction;
pub use self::run::{
    run_process_manager, run_process_manager_until_idle, run_process_manager_with,
};
pub use self::trigger::Trigger;
use crate::store::{Event, EventStore, Filter, StoredEvent};
use crate::values::ProcessId;

/// Reacts to events with commands. An event in some streams leads to commands on other streams,
/// possibly over days, and possibly to further commands that undo earlier steps when a later step
/// is refused (a *saga*). Run it with [`run_process_manager`].
///
/// There is one *process* for each id that [`process_of`](Self::process_of) returns. Each process
/// has its own state. It handles its triggers one after the other. A trigger is an event, a command
/// of the process that a business rule rejected, or a timeout that the process has asked for. For
/// each trigger, [`react`](Self::react) returns the next state and a [`Reaction`]: commands,
/// timeouts, or the end of the process.
///
/// # Guarantees
///
/// - A process accepts each trigger once, and each command of its reaction is executed once or
///   rejected once. This holds if triggers are delivered twice, if several runners are active, and
///   wherever a runner is killed, because a command's events and the record that it is done are one
///   append.
/// - The triggers of a process have one order, which preserves the order of events within a stream.
///   The commands of a reaction are executed in their order, all of them, even after one is
///   rejected. Then the process receives the rejected commands as triggers, and only then its next
///   event or timeout.
/// - A command that fails for another reason, for example because an event cannot be decoded, stops
///   its process. Its trigger is given back and tried again after a while. In the end it is parked,
///   like any event of a durable subscription
///   ([`replay_parked`](crate::SubscriptionStore::replay_parked)). Other processes continue.
/// - A timeout arrives after its time, never before, as soon as a runner is active. Its time starts
///   with the [`recorded_at`](StoredEvent::recorded_at) of its trigger, by the store's clock, and
///   ends by the clock of the runner's machine: keep the two clocks synchronised.
/// - The events of a command have the trigger's correlation id (or the trigger's event id, if it
///   has none), and the trigger's event id as their causation id.
///
/// # What it stores
///
/// For a manager `M`: the durable subscriptions `M` and `M:timeouts`; for each process a stream
/// `process:M:<process id>` with an event for each trigger and each command; for each timeout a
/// stream `process-timeout:M:<uuid>`. The types of these events begin with `eventcore.process.`.
/// Process managers skip them, but projections and consumers without a filter receive them.
///
/// To handle a trigger, a runner reads the process's stream back to the time when the trigger was
/// recorded: a few events, however long the process. It reads more only if the manager is behind.
pub trait ProcessManager<S: EventStore>: Send + Sync {
    /// The events that the manager receives.
    type Event: Event;

    /// The state of a process. It is stored with each trigger that the process accepts.
    type State: Default + Serialize + DeserializeOwned;

    /// The name of the manager: 1 to 100 bytes, no colon and no ASCII control characters. Under
    /// another name it starts from the beginning.
    fn name(&self) -> &str;

    /// Which events the manager receives. By default all; each must fit its event type. The filter
    /// cannot be changed once the manager has run under its name. To change it, give the manager
    /// another name; or drop its two subscriptions, which have its name and its name with
    /// `:timeouts`. It then receives all events again, but does not handle those twice that it has
    /// handled.
    fn filter(&self) -> Filter {
        Filter::all()
    }

    /// The process that an event belongs to; `None` if it belongs to none. An id may have up to 146
    /// bytes, so that it fits in the name of a stream.
    fn process_of(&self, event: &StoredEvent<Self::Event>) -> Option<ProcessId>;

    /// Reacts to a trigger: returns the next state and fills the reaction.
    ///
    /// The result must depend only on the state and the trigger. If the work was interrupted, this
    /// is called again for the same trigger and must ask for the same again. If commands need new
    /// ids, derive them from the trigger's [`event_id`](StoredEvent::event_id). The runner detects
    /// a different number of commands, other commands, and commands on other streams
    /// ([`ProcessError::is_not_deterministic`]). So deploy a version that reacts differently when
    /// no reaction is half done.
    fn react(
        &self,
        state: Self::State,
        trigger: Trigger<'_, Self::Event>,
        reaction: &mut Reaction<S>,
    ) -> Self::State;

    /// Called when a trigger could not be handled, before it is tried again or parked, for example
    /// to log the error. By default this does nothing; the error is stored with the event in any
    /// case.
    fn on_error(&self, _error: &ProcessError) {}
}
