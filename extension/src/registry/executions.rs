//! Counts of the executions of commands in a database, for the view `eventcore.stat_executions`.

use crate::pg::transaction;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// How an execution ended.
#[derive(Clone, Copy)]
pub enum Outcome {
    /// It decided; its events, if any, are appended.
    Executed,
    /// An earlier one had done it.
    Repeated,
    /// `handle` rejected it.
    Rejected,
    /// It was refused with SE001.
    Conflicted,
    /// Any other error.
    Failed,
}

/// The number of outcomes.
const OUTCOMES: usize = 5;

/// The counts of one database, on a cache line of their own.
#[repr(C, align(64))]
pub struct Executions {
    by_outcome: [AtomicI64; OUTCOMES],
    /// When counting began, as a timestamptz.
    since: AtomicI64,
}

impl Executions {
    pub fn fresh() -> Self {
        Self {
            by_outcome: [const { AtomicI64::new(0) }; OUTCOMES],
            since: AtomicI64::new(0),
        }
    }

    /// Restarts all counts at 0.
    pub fn begin(&self) {
        for count in &self.by_outcome {
            count.store(0, Relaxed);
        }
        self.since.store(transaction::now(), Relaxed);
    }

    /// Counts an execution. It counts at once, even if the transaction is rolled back later.
    pub fn count(&self, outcome: Outcome) {
        self.by_outcome[outcome as usize].fetch_add(1, Relaxed);
    }

    pub fn get(&self, outcome: Outcome) -> i64 {
        self.by_outcome[outcome as usize].load(Relaxed)
    }

    pub fn since(&self) -> i64 {
        self.since.load(Relaxed)
    }
}
