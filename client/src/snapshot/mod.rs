//! [`Snapshots`]: how a command asks for snapshots of its state, and [`StateCache`]: states cached
//! by this process.

mod cache;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use self::cache::KnownState;
pub use self::cache::StateCache;
use crate::values::{InvalidValue, Payload, SnapshotName};

/// Under which name, how often and in which form a store saves a command's state. A command returns
/// it from [`CommandLogic::snapshots`](crate::CommandLogic::snapshots).
///
/// A snapshot holds what a command learned from its declared streams, not from discovered ones. An
/// execution reads on after the snapshot, stream by stream. So `apply` must reach the same state in
/// whatever order the streams' events come. It must not use any field of the command except its
/// streams, because other commands on the same streams share the state. When `apply` or the type of
/// the state changes, change the name: snapshots under the old name are then no longer used. A
/// snapshot that cannot be decoded is ignored.
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
///     // apply and handle as usual
/// }
/// ```
pub struct Snapshots<S> {
    pub(crate) name: &'static str,
    when: Policy,
    encode: fn(&S) -> Result<Payload, serde_json::Error>,
    decode: fn(&Payload) -> Result<S, serde_json::Error>,
}

/// What an execution read. The policy uses it to decide whether to save a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Folded {
    /// How many events the execution read and applied that no snapshot contained.
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
    /// Snapshots under this name, which must be a valid [`SnapshotName`]. By default an execution
    /// saves one whenever it has read 100 events that no snapshot contained.
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
    /// Saves a snapshot whenever an execution has read this many events that no snapshot contained.
    #[must_use]
    pub fn every(mut self, events: usize) -> Self {
        self.when = Policy::Every(events.max(1));
        self
    }

    /// Saves a snapshot whenever this function returns true.
    #[must_use]
    pub fn when(mut self, rule: fn(Folded) -> bool) -> Self {
        self.when = Policy::Rule(rule);
        self
    }

    /// The name for a command whose fields hold these numbers of streams, if the numbers vary. The
    /// same streams in other fields make another state.
    pub(crate) fn name_for(&self, fields: Option<&[usize]>) -> Result<SnapshotName, InvalidValue> {
        match fields {
            None => SnapshotName::new(self.name),
            // The name is checked alone first, so that an error refers to the name that the command
            // gave.
            Some(fields) => SnapshotName::new(self.name)
                .and_then(|name| SnapshotName::new(format!("{name}{fields:?}"))),
        }
    }

    /// Whether the policy asks for a snapshot.
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
