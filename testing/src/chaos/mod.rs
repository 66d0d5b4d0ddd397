//! [`ChaosStore`]: a store that fails on purpose, in the ways in which real stores do.

mod durable;
mod plan;
mod store;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventcore::EventId;

use self::plan::Plan;

/// A store that fails on purpose: with version conflicts, with failures before and after the commit of an
/// append, with reads that fail, and slowly.
///
/// A new one injects nothing until it is told to, by probability ([`conflicts`](Self::conflicts), …) or at
/// certain calls ([`conflict_once`](Self::conflict_once), [`at_append`](Self::at_append), …). Appends are
/// numbered from 1 on, and so are reads, and calls of durable subscriptions. What happens to a call follows from the seed and its number alone,
/// so that the same calls meet the same faults with the same seed (and the same version of this crate), and
/// concurrent ones whatever order they come in.
///
/// A clone is the same store, with the same numbers and the same log.
///
/// ```
/// use eventcore::{Append, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent};
/// use eventcore_testing::ChaosStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ChaosStore::new(InMemoryEventStore::new()).lose_answer_once();
/// let event = NewEvent::new("a".parse()?, "Opened".parse()?, serde_json::json!({}));
/// let append = Append::new().stream("a".parse()?, ExpectedVersion::Exactly(0)).event(event);
///
/// // It is written, but nobody is told.
/// assert!(store.append(&append).await.unwrap_err().is_retriable());
/// assert!(store.append(&append).await?.repeated);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ChaosStore<S> {
    store: S,
    plan: Plan,
    shared: Arc<Mutex<Shared>>,
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// An append is refused as if another had been there first, at one stream that it declares with
    /// [`Exactly`](eventcore::ExpectedVersion::Exactly) or [`Exists`](eventcore::ExpectedVersion::Exists).
    /// One that declares no such stream is not refused, nor one that has been written: a store
    /// recognises its repeat.
    Conflict,
    /// The call fails, and nothing is done: the connection was lost on the way there.
    Before,
    /// It is done, but the call fails: the connection was lost on the way back.
    After,
}

/// The calls that are numbered, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `append`.
    Append,
    /// Everything that reads: streams, all events, versions, the safe position; and keeping a snapshot.
    Read,
    /// Everything of a durable subscription, and `create_subscription` too.
    Subscription,
}

/// A fault that a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Injected {
    /// What was called.
    pub operation: Operation,
    /// The number of the call among those of its operation, from 1 on.
    pub call: u64,
    /// How it failed.
    pub fault: Fault,
}

/// What all clones of a store have in common.
#[derive(Debug, Default)]
struct Shared {
    appends: u64,
    reads: u64,
    subscriptions: u64,
    log: Vec<Injected>,
    /// The first event of each append that was written although its answer was lost.
    written: HashSet<EventId>,
}

impl<S> ChaosStore<S> {
    /// A store that does what this one does, and so far nothing else. Its seed is 0.
    pub fn new(store: S) -> Self {
        Self {
            store,
            plan: Plan::default(),
            shared: Arc::default(),
        }
    }

    /// Sets the seed that everything random follows from.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    /// Sets how many of the appends meet a [`Fault::Conflict`], from 0 to 1.
    #[must_use]
    pub fn conflicts(mut self, probability: f64) -> Self {
        self.plan.conflicts = probability;
        self
    }

    /// Sets how many of the appends meet a [`Fault::Before`], from 0 to 1.
    #[must_use]
    pub fn failures_before(mut self, probability: f64) -> Self {
        self.plan.before = probability;
        self
    }

    /// Sets how many of the appends meet a [`Fault::After`], from 0 to 1: acknowledgements that get lost.
    #[must_use]
    pub fn failures_after(mut self, probability: f64) -> Self {
        self.plan.after = probability;
        self
    }

    /// Sets how many of the reads meet a [`Fault::Before`], from 0 to 1.
    #[must_use]
    pub fn failing_reads(mut self, probability: f64) -> Self {
        self.plan.reads = probability;
        self
    }

    /// Sets how many of the calls of durable subscriptions fail, from 0 to 1. One half meet a
    /// [`Fault::Before`], the other a [`Fault::After`]: a batch that nobody got, an acknowledgement that
    /// counts although nobody was told.
    #[must_use]
    pub fn failing_subscriptions(mut self, probability: f64) -> Self {
        self.plan.subscriptions = probability;
        self
    }

    /// Lets each of the numbered calls take up to so much longer.
    #[must_use]
    pub fn latency(mut self, at_most: Duration) -> Self {
        self.plan.latency = at_most;
        self
    }

    /// Lets the append with this number, counted from 1 on, meet a fault.
    #[must_use]
    pub fn at_append(mut self, call: u64, fault: Fault) -> Self {
        self.plan.set(Operation::Append, call, fault);
        self
    }

    /// Lets the read with this number, counted from 1 on, fail.
    #[must_use]
    pub fn at_read(mut self, call: u64) -> Self {
        self.plan.set(Operation::Read, call, Fault::Before);
        self
    }

    /// Lets the first append meet a conflict.
    #[must_use]
    pub fn conflict_once(self) -> Self {
        self.conflict_times(1)
    }

    /// Lets the first so many appends meet a conflict.
    #[must_use]
    pub fn conflict_times(self, times: u64) -> Self {
        (1..=times).fold(self, |store, call| store.at_append(call, Fault::Conflict))
    }

    /// Lets the first append fail before it is written.
    #[must_use]
    pub fn fail_once(self) -> Self {
        self.at_append(1, Fault::Before)
    }

    /// Writes the first append, but loses the answer.
    #[must_use]
    pub fn lose_answer_once(self) -> Self {
        self.at_append(1, Fault::After)
    }

    /// The faults that calls have met, by operation and number. The same calls give the same log with the
    /// same seed.
    pub fn injected(&self) -> Vec<Injected> {
        let mut log = self.shared().log.clone();
        log.sort_unstable();
        log
    }

    /// The store itself, which does not fail.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
