//! [`ProcessManager`]: events that lead to commands, each exactly once, with timeouts.

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

/// Lets events lead to commands: what has happened in some streams asks for something in others, perhaps
/// over days, and perhaps undone again when a later step is refused (a *saga*). Run it with
/// [`run_process_manager`].
///
/// There are as many *processes* as [`process_of`](Self::process_of) names, each with a state of its own. A
/// process takes its triggers one after the other: events, commands of its own that a business rule
/// rejected, and timeouts that it has asked for. [`react`](Self::react) makes of each the next state and a
/// [`Reaction`]: commands, timeouts, or the end of the process.
///
/// # What is promised
///
/// - Each trigger of a process is taken once, and each command of its reaction is executed once or rejected
///   once, whatever is delivered twice, however many runners there are, wherever one of them is killed: a
///   command's events are written in one append with the note that it is done.
/// - The triggers of a process have one order, in which the events of any one stream keep theirs. The
///   commands of a reaction are executed in their order, all of them, also after one that was rejected;
///   then the process is told of those that were rejected, and only then of its next event or timeout.
/// - A command that fails otherwise, for example because an event cannot be decoded, stops its process. The
///   trigger is given back and tried again after a while, and is parked in the end like any event of a durable
///   subscription ([`replay_parked`](crate::SubscriptionStore::replay_parked)). Other processes go on.
/// - A timeout is told after its time, never before, as soon as a runner is there. Its time starts with the
///   [`recorded_at`](StoredEvent::recorded_at) of its trigger, which is the store's clock, and is over by the
///   clock of the machine that the runner is on: keep the two together.
/// - The events of a command have the correlation id of the trigger (the trigger's event id where it has none)
///   and the trigger's event id as their causation id.
///
/// # What it keeps in the store
///
/// For a manager `M`, the durable subscriptions `M` and `M:timeouts`; for each process a stream
/// `process:M:<process id>` with an event for each trigger and each command; for each timeout a stream
/// `process-timeout:M:<uuid>`. Their event types begin with `eventcore.process.`; process managers pass over
/// them, but projections and consumers without a filter meet them.
///
/// For a trigger, the stream of its process is read back to when the trigger was recorded: a few events,
/// however long the process. Only a manager that is behind reads more.
pub trait ProcessManager<S: EventStore>: Send + Sync {
    /// The events that it looks at.
    type Event: Event;

    /// What a process knows. It is stored with each trigger that it takes.
    type State: Default + Serialize + DeserializeOwned;

    /// The name of the manager: 1 to 100 bytes, no colon and no ASCII control characters. With another name
    /// it starts anew.
    fn name(&self) -> &str;

    /// Which events it looks at. By default all; each has to be one of its event type. It cannot be changed
    /// once the manager has run under its name: give it another name then, or drop its two subscriptions, which have
    /// that name and that name with `:timeouts`, and it looks at all events again; what it has handled it handles no
    /// second time.
    fn filter(&self) -> Filter {
        Filter::all()
    }

    /// The process that an event concerns; `None` when it concerns none. An id of up to 146 bytes fits in the
    /// name of a stream.
    fn process_of(&self, event: &StoredEvent<Self::Event>) -> Option<ProcessId>;

    /// What comes of a trigger: the next state, and what is to be done.
    ///
    /// It must depend on nothing but the state and the trigger: it is asked again for the same trigger when
    /// the work was interrupted, and has to ask for the same again. Ids of what the commands make can be
    /// taken from the trigger's [`event_id`](StoredEvent::event_id). Commands of another number, kind, or with
    /// other streams are found out ([`ProcessError::is_not_deterministic`]). So a new version of a program
    /// that reacts in another way should start when no reaction is half done.
    fn react(
        &self,
        state: Self::State,
        trigger: Trigger<'_, Self::Event>,
        reaction: &mut Reaction<S>,
    ) -> Self::State;

    /// Is told when a trigger could not be handled, before it is tried again or parked: to be logged. By
    /// default this does nothing; the reason is on record with the event in any case.
    fn on_error(&self, _error: &ProcessError) {}
}
