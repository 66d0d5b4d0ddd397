//! Confirmed before seen: where commits wait for synchronous standbys, readers go no further than what these have
//! confirmed. Else a fail-over would take back what readers have been told.
//!
//! A transaction that waited for its standbys costs readers two loads: what it raised here is confirmed already. This
//! holds readers back where a commit did not wait: the wait was cancelled, the server restarted in the middle,
//! `synchronous_commit` is `local` or `off`.

use crate::pg::{standbys, transaction, wal};
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release, SeqCst},
};

/// How far the log of what readers may see goes, and how far that is confirmed. In the place of a database.
pub struct Confirmed {
    /// The highest end of a commit whose positions were given back; 0 until the first since the server started.
    end: AtomicU64,
    /// A safe position that was found while it was not confirmed, and where in the log that is; guarded by `busy`.
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

    /// Forgets what was awaited, for another installation of the extension.
    pub fn begin(&self) {
        self.awaited_end.store(0, SeqCst);
        self.since.store(0, SeqCst);
    }

    /// A transaction has committed and is about to give its positions back. Cannot fail.
    pub fn raise(&self) {
        self.end.fetch_max(wal::end_of_last_commit(), SeqCst);
    }

    /// Since when readers are held back.
    pub fn since(&self) -> Option<i64> {
        Some(self.since.load(Relaxed)).filter(|since| *since != 0)
    }

    /// Nobody is held back.
    fn go_on(&self) {
        // Most find it so: they leave the memory to others.
        if self.since.load(Relaxed) != 0 {
            self.since.store(0, Relaxed);
        }
    }

    /// The end of the log up to which readers may see; after a start all that is in it counts.
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

/// The safe position that readers may be told: `safe`, which has been taken just before, if all of it is confirmed, or
/// what was before. `last_told` is asked for what an earlier run of the server has told.
pub fn confirm(
    place: &Confirmed,
    settled: &AtomicI64,
    safe: i64,
    last_told: impl FnOnce() -> i64,
) -> i64 {
    // After the safe position was taken: whatever is below it has raised its end before.
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
        // There is nothing that nobody has been told of.
        place.go_on();
        return settled.load(SeqCst);
    }
    if place.since.load(Relaxed) == 0 {
        place.since.store(transaction::now(), Relaxed);
    }
    // Whoever finds this busy leaves it to the other.
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
