//! [`ChaosStore`]: a store that fails on purpose, in the ways in which real stores fail.

mod intercept;
mod plan;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventcore::EventId;

use self::plan::Plan;
use crate::intercept::Intercepted;

/// A store that fails on purpose: with version conflicts, with failures before and after the commit
/// of an append, with failing reads, and with delays.
///
/// A new one injects nothing. Set faults by probability ([`conflicts`](Self::conflicts), …) or for
/// certain calls ([`conflict_once`](Self::conflict_once), [`at_append`](Self::at_append), …).
/// Appends, reads, and calls of durable subscriptions are numbered from 1, each separately. The
/// seed and the number alone determine what happens to a call. So with the same seed and the same
/// version of this crate, the same calls meet the same faults, and concurrent calls do so in
/// whatever order they arrive.
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
/// // It is written, but its answer is lost.
/// assert!(store.append(&append).await.unwrap_err().is_retriable());
/// assert!(store.append(&append).await?.repeated);
/// # Ok(())
/// # }
/// ```
pub type ChaosStore<S> = Intercepted<S, Chaos>;

/// The interceptor of a [`ChaosStore`].
#[derive(Debug, Clone, Default)]
pub struct Chaos {
    plan: Plan,
    shared: Arc<Mutex<Shared>>,
}

/// A way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The append is refused as if another append had been faster, on one declared stream with
    /// [`Exactly`](eventcore::ExpectedVersion::Exactly) or
    /// [`Exists`](eventcore::ExpectedVersion::Exists). Two appends are not refused: one without
    /// such a stream, and one that was already written, because a store recognises its repeat.
    Conflict,
    /// The call fails without effect: the connection was lost on the way to the store.
    Before,
    /// The call takes effect but fails: the connection was lost on the way back.
    After,
}

/// The kinds of calls, each numbered separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `append`.
    Append,
    /// All reads: streams, all events, versions, the safe position. Also saving a snapshot.
    Read,
    /// All calls of durable subscriptions, including `create_subscription`.
    Subscription,
}

/// A fault that a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Injected {
    /// What was called.
    pub operation: Operation,
    /// The number of the call within its operation, from 1.
    pub call: u64,
    /// How it failed.
    pub fault: Fault,
}

/// The state that all clones of a store share.
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
    /// A wrapper of this store that injects nothing yet. Its seed is 0.
    pub fn new(store: S) -> Self {
        Self::with(store, Chaos::default())
    }

    /// Sets the seed of all random decisions.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.interceptor.plan.seed = seed;
        self
    }

    /// Sets the share of appends that meet a [`Fault::Conflict`], from 0 to 1.
    #[must_use]
    pub fn conflicts(mut self, probability: f64) -> Self {
        self.interceptor.plan.conflicts = probability;
        self
    }

    /// Sets the share of appends that meet a [`Fault::Before`], from 0 to 1.
    #[must_use]
    pub fn failures_before(mut self, probability: f64) -> Self {
        self.interceptor.plan.before = probability;
        self
    }

    /// Sets the share of appends that meet a [`Fault::After`], from 0 to 1: their answers are lost.
    #[must_use]
    pub fn failures_after(mut self, probability: f64) -> Self {
        self.interceptor.plan.after = probability;
        self
    }

    /// Sets the share of reads that meet a [`Fault::Before`], from 0 to 1.
    #[must_use]
    pub fn failing_reads(mut self, probability: f64) -> Self {
        self.interceptor.plan.reads = probability;
        self
    }

    /// Sets the share of durable subscription calls that fail, from 0 to 1. Half of them meet a
    /// [`Fault::Before`], the others a [`Fault::After`]: a batch that no consumer received, or an
    /// acknowledgement that took effect without an answer.
    #[must_use]
    pub fn failing_subscriptions(mut self, probability: f64) -> Self {
        self.interceptor.plan.subscriptions = probability;
        self
    }

    /// Delays each numbered call by up to this time.
    #[must_use]
    pub fn latency(mut self, at_most: Duration) -> Self {
        self.interceptor.plan.latency = at_most;
        self
    }

    /// Makes the append with this number, counted from 1, meet a fault.
    #[must_use]
    pub fn at_append(mut self, call: u64, fault: Fault) -> Self {
        self.interceptor.plan.set(Operation::Append, call, fault);
        self
    }

    /// Makes the read with this number, counted from 1, fail.
    #[must_use]
    pub fn at_read(mut self, call: u64) -> Self {
        self.interceptor
            .plan
            .set(Operation::Read, call, Fault::Before);
        self
    }

    /// Makes the first append meet a conflict.
    #[must_use]
    pub fn conflict_once(self) -> Self {
        self.conflict_times(1)
    }

    /// Makes the first appends, this many, meet a conflict.
    #[must_use]
    pub fn conflict_times(self, times: u64) -> Self {
        (1..=times).fold(self, |store, call| store.at_append(call, Fault::Conflict))
    }

    /// Makes the first append fail before it is written.
    #[must_use]
    pub fn fail_once(self) -> Self {
        self.at_append(1, Fault::Before)
    }

    /// Writes the first append, but loses its answer.
    #[must_use]
    pub fn lose_answer_once(self) -> Self {
        self.at_append(1, Fault::After)
    }

    /// The faults that calls have met, by operation and number. With the same seed the same calls
    /// give the same log.
    pub fn injected(&self) -> Vec<Injected> {
        let mut log = self.interceptor.shared().log.clone();
        log.sort_unstable();
        log
    }
}

impl Chaos {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
