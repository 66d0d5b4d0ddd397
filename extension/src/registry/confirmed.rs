//! Readers see only what synchronous standbys have confirmed, if commits wait for standbys.
//! Otherwise a fail-over would take back what readers have been told.
//!
//! A transaction that waited for its standbys costs readers two loads, because the standbys have
//! already confirmed its commit. Readers are held back only if a commit did not wait: its wait was
//! cancelled, the server restarted in between, or `synchronous_commit` is `local` or `off`.

use crate::pg::{standbys, transaction, wal};
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

/// How far the log of the events that readers may see extends, and how far the standbys have
/// confirmed it.
pub struct Confirmed {
    /// The highest end of a commit that has withdrawn its positions; 0 until the first one since
    /// the server started.
    end: AtomicU64,
    /// A safe position that was found before the standbys had confirmed it, and where its log ends.
    /// Guarded by `busy`.
    awaited_position: AtomicI64,
    awaited_end: AtomicU64,
    busy: AtomicBool,
    /// Since when readers are held back, as a timestamptz; 0 while they are not.
    since: AtomicI64,
}

impl Confirmed {
    pub fn fresh() -> Self {
        Self {
            end: AtomicU64::new(0),
            awaited_position: AtomicI64::new(0),
            awaited_end: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            since: AtomicI64::new(0),
        }
    }

    /// Forgets the awaited position, for a new installation of the extension.
    pub fn begin(&self) {
        self.awaited_end.store(0, SeqCst);
        self.since.store(0, SeqCst);
    }

    /// Records a transaction that has committed and is about to withdraw its positions. Cannot
    /// fail.
    pub fn raise(&self) {
        self.end.fetch_max(wal::end_of_last_commit(), SeqCst);
    }

    /// Since when readers are held back.
    pub fn since(&self) -> Option<i64> {
        Some(self.since.load(Relaxed)).filter(|since| *since != 0)
    }

    /// Records that no reader is held back.
    fn go_on(&self) {
        // Usually it is 0 already. Then this does not write to the shared cache line.
        if self.since.load(Relaxed) != 0 {
            self.since.store(0, Relaxed);
        }
    }

    /// The end of the log up to which readers may see events. After a start of the server, all of
    /// the log counts.
    fn end(&self) -> u64 {
        match self.end.load(SeqCst) {
            0 => {
                let all = wal::end_of_log();
                self.end.fetch_max(all, SeqCst).max(all)
            }
            end => end,
        }
    }
}

/// The safe position that readers may be told: `safe`, which the caller has just taken, if the
/// standbys have confirmed all of it; otherwise the last one that they have confirmed. `last_told`
/// returns the position that an earlier run of the server told.
pub fn confirm(
    place: &Confirmed,
    settled: &AtomicI64,
    safe: i64,
    last_told: impl FnOnce() -> i64,
) -> i64 {
    // The safe position was taken first, so every commit below it has already raised `end`.
    let behind = standbys::confirmed().and_then(|confirmed| {
        let end = place.end();
        (confirmed < end).then_some((confirmed, end))
    });
    let Some((confirmed, end)) = behind else {
        place.go_on();
        return settled.fetch_max(safe, SeqCst).max(safe);
    };
    if settled.load(SeqCst) == 0 {
        settled.fetch_max(last_told(), SeqCst);
    }
    if safe <= settled.load(SeqCst) {
        // Readers have been told of everything already.
        place.go_on();
        return settled.load(SeqCst);
    }
    if place.since.load(Relaxed) == 0 {
        place.since.store(transaction::now(), Relaxed);
    }
    // If another process is doing this now, leave it to that process.
    if !place.busy.swap(true, Acquire) {
        let awaited = place.awaited_end.load(Relaxed);
        if awaited != 0 && confirmed >= awaited {
            settled.fetch_max(place.awaited_position.load(Relaxed), SeqCst);
        }
        if confirmed >= awaited {
            place.awaited_position.store(safe, Relaxed);
            place.awaited_end.store(end, Relaxed);
        }
        place.busy.store(false, Release);
    }
    settled.load(SeqCst)
}
