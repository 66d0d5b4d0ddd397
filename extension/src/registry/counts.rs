//! Counts of appends in a database, for the view `eventcore.stat_appends`.
//!
//! Each process counts what its transaction appends and adds it to the shared counts when the
//! transaction ends. An append touches no shared counter. Appends that a savepoint rolled back are
//! counted as rolled back.

use crate::pg::transaction::{self, TransactionEnd};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// The counts of one database, on a cache line of their own.
#[repr(C, align(64))]
pub struct Counts {
    appends: AtomicI64,
    events: AtomicI64,
    conflicts: AtomicI64,
    repeats: AtomicI64,
    rolled_back: AtomicI64,
    /// When counting began, as a timestamptz.
    since: AtomicI64,
}

/// The counts at one moment.
pub struct CountValues {
    pub appends: i64,
    pub events: i64,
    pub conflicts: i64,
    pub repeats: i64,
    pub rolled_back: i64,
    pub since: i64,
}

/// What one level of the transaction has appended.
struct Level {
    subtransaction: u32,
    appends: i64,
    events: i64,
}

thread_local! {
    /// The levels of this transaction that have appended, outermost first.
    static LEVELS: Cell<Vec<Level>> = const { Cell::new(Vec::new()) };
}

impl Counts {
    pub fn fresh() -> Self {
        let zero = || AtomicI64::new(0);
        Self {
            appends: zero(),
            events: zero(),
            conflicts: zero(),
            repeats: zero(),
            rolled_back: zero(),
            since: zero(),
        }
    }

    /// Restarts all counts at 0.
    pub fn begin(&self) {
        for count in [
            &self.appends,
            &self.events,
            &self.conflicts,
            &self.repeats,
            &self.rolled_back,
        ] {
            count.store(0, Relaxed);
        }
        self.since.store(transaction::now(), Relaxed);
    }

    /// Counts an append that was refused with SE001. It counts at once, even if the transaction
    /// goes on.
    pub fn conflict(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }

    /// Counts an append that repeated an earlier one. It counts at once, because it writes nothing.
    pub fn repeat(&self) {
        self.repeats.fetch_add(1, Relaxed);
    }

    pub fn get(&self) -> CountValues {
        CountValues {
            appends: self.appends.load(Relaxed),
            events: self.events.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            repeats: self.repeats.load(Relaxed),
            rolled_back: self.rolled_back.load(Relaxed),
            since: self.since.load(Relaxed),
        }
    }

    /// Adds what the transaction has appended, when it has ended. Cannot fail.
    pub fn end(&self, ended: TransactionEnd) {
        let mut levels = LEVELS.take();
        for level in levels.drain(..) {
            self.add(&level, ended);
        }
        LEVELS.set(levels);
    }

    /// Moves what a subtransaction has appended to its parent, or counts it as rolled back. Cannot
    /// fail.
    pub fn end_subtransaction(&self, subtransaction: u32, parent: u32, ended: TransactionEnd) {
        let mut levels = LEVELS.take();
        if let Some(mut level) = levels.pop_if(|level| level.subtransaction == subtransaction) {
            match ended {
                TransactionEnd::RolledBack => self.add(&level, ended),
                TransactionEnd::Committed => {
                    level.subtransaction = parent;
                    // This does not allocate: the level was just removed from the list.
                    add_level(&mut levels, level);
                }
            }
        }
        LEVELS.set(levels);
    }

    fn add(&self, level: &Level, ended: TransactionEnd) {
        match ended {
            TransactionEnd::Committed => {
                self.appends.fetch_add(level.appends, Relaxed);
                self.events.fetch_add(level.events, Relaxed);
            }
            TransactionEnd::RolledBack => {
                self.rolled_back.fetch_add(level.appends, Relaxed);
            }
        }
    }
}

/// Counts an append of this many events for the current transaction.
pub fn append(events: i64) {
    let mut levels = LEVELS.take();
    add_level(
        &mut levels,
        Level {
            subtransaction: transaction::subtransaction(),
            appends: 1,
            events,
        },
    );
    LEVELS.set(levels);
}

/// Adds to the innermost level, if it belongs to the same subtransaction.
fn add_level(levels: &mut Vec<Level>, level: Level) {
    match levels.last_mut() {
        Some(last) if last.subtransaction == level.subtransaction => {
            last.appends += level.appends;
            last.events += level.events;
        }
        _ => levels.push(level),
    }
}
