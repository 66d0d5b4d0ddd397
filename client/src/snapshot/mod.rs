//! [`Snapshots`]: how a command asks for snapshots of its state, and [`StateCache`]: states cached by this process.

mod cache;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::cache::StateCache;
use crate::values::{InvalidValue, Payload, SnapshotName};

/// How a command's state is cached: under which name, how often, and as what. A command returns it from
/// [`CommandLogic::snapshots`](crate::CommandLogic::snapshots).
///
/// A snapshot holds what a command learned from the streams that it declares, not from discovered ones.
/// Reading goes on behind it, stream by stream, so `apply` must come to the same state whichever stream's
/// events come first, and must use of the command's fields none but its streams: other commands of the same
/// streams are given the state too. Change the name when `apply` or the state's type changes: what was cached under the
/// old one is then not used any more. A snapshot that cannot be read is treated as if there was none.
///
/// ```
/// # use eventcore::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize, Event)]
/// # enum AccountEvent { Deposited { cents: u64 } }
/// # #[derive(Command)]
/// # struct Deposit { #[stream] account: StreamId, cents: u64 }
/// impl CommandLogic for Deposit {
///     type State = u64;
///     type Event = AccountEvent;
///
///     fn snapshots(&self) -> Option<Snapshots<u64>> {
///         Some(Snapshots::named("balance-1").every(100))
///     }
/// #   fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
/// #       let AccountEvent::Deposited { cents } = stored.event;
/// #       balance + cents
/// #   }
/// #   fn handle(&self, _: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
/// #       let mut events = NewEvents::new();
/// #       emit!(events, streams.account, AccountEvent::Deposited { cents: self.cents });
/// #       Ok(events)
/// #   }
///     // apply and handle as ever
/// }
/// ```
pub struct Snapshots<S> {
    pub(crate) name: &'static str,
    when: Policy,
    encode: fn(&S) -> Result<Payload, serde_json::Error>,
    decode: fn(&Payload) -> Result<S, serde_json::Error>,
}

/// What an execution read, for the policy that says when to keep its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Folded {
    /// How many events were read and applied that no snapshot held.
    pub events: usize,
    /// How many streams the command declares.
    pub streams: usize,
}

#[derive(Clone, Copy)]
enum Policy {
    Every(usize),
    Rule(fn(Folded) -> bool),
}

impl<S: Serialize + DeserializeOwned> Snapshots<S> {
    /// Snapshots under this name, which is checked as every name is; one whenever an execution has read
    /// 100 events that no snapshot holds.
    pub fn named(name: &'static str) -> Self {
        Self {
            name,
            when: Policy::Every(100),
            encode: Payload::encode,
            decode: |state| state.decode(),
        }
    }
}

impl<S> Snapshots<S> {
    /// A snapshot whenever an execution has read this many events that no snapshot holds.
    #[must_use]
    pub fn every(mut self, events: usize) -> Self {
        self.when = Policy::Every(events.max(1));
        self
    }

    /// A snapshot whenever this says so.
    #[must_use]
    pub fn when(mut self, rule: fn(Folded) -> bool) -> Self {
        self.when = Policy::Rule(rule);
        self
    }

    /// The name for a command whose fields have so many streams each, where that is not always the same: states
    /// of the same streams in other fields are others.
    pub(crate) fn name_for(&self, fields: Option<&[usize]>) -> Result<SnapshotName, InvalidValue> {
        match fields {
            None => SnapshotName::new(self.name),
            // First the name alone, so that an error is about what the command says.
            Some(fields) => SnapshotName::new(self.name)
                .and_then(|name| SnapshotName::new(format!("{name}{fields:?}"))),
        }
    }

    /// Whether the policy wants a snapshot.
    pub(crate) fn is_due(&self, folded: Folded) -> bool {
        match self.when {
            Policy::Every(events) => folded.events >= events,
            Policy::Rule(rule) => rule(folded),
        }
    }

    pub(crate) fn encode(&self, state: &S) -> Result<Payload, serde_json::Error> {
        (self.encode)(state)
    }

    pub(crate) fn decode(&self, state: &Payload) -> Result<S, serde_json::Error> {
        (self.decode)(state)
    }
}

impl<S> fmt::Debug for Snapshots<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
