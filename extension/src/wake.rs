//! Waking up: how the end of an append reaches the notifier, and the notifier those who wait.

use crate::pg::shared_memory::{self, WaitQueue, my_process_number, wake_process};
use crate::pg::transaction;
use crate::pg::worker::{self, Kind};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// The notifier's process: see [`crate::notifier`].
const NOTIFIER: Kind = Kind {
    name: "eventcore notifier",
    function: "eventcore_notifier_main",
    restart_after: Duration::from_secs(1),
};

/// At most one attempt to start a notifier in this many microseconds.
const RETRY_AFTER: i64 = 1_000_000;

/// The wake-ups of one database, in shared memory.
pub struct Wake {
    /// The number of the notifier's process plus one; 0 while there is none.
    notifier: AtomicU32,
    /// The notifier has been told and has not looked yet.
    pending: AtomicBool,
    /// The notifier is to leave, for someone wants the database for themselves.
    leave: AtomicBool,
    /// When a notifier was last asked for, as a timestamptz.
    asked_at: AtomicI64,
    /// Those in `eventcore_wait`.
    pub waiting: WaitQueue,
}

impl Wake {
    pub fn fresh() -> Self {
        Self {
            notifier: AtomicU32::new(0),
            pending: AtomicBool::new(false),
            leave: AtomicBool::new(false),
            asked_at: AtomicI64::new(0),
            waiting: WaitQueue::fresh(),
        }
    }

    /// Tells the notifier that the safe position may have moved; costs next to nothing when it has
    /// been told already and has not looked yet.
    pub fn tell_notifier(&self) {
        if !self.pending.swap(true, SeqCst) {
            self.wake_notifier();
        }
    }

    /// Starts the notifier of this database if there is none. Costs one load when there is.
    pub fn ensure_notifier(&self) {
        if self.notifier.load(SeqCst) != 0 {
            return;
        }
        let (asked_at, now) = (self.asked_at.load(SeqCst), transaction::now());
        let is_mine = now - asked_at > RETRY_AFTER
            && self
                .asked_at
                .compare_exchange(asked_at, now, SeqCst, SeqCst)
                .is_ok();
        if !is_mine {
            return;
        }
        self.leave.store(false, SeqCst);
        if !worker::start(&NOTIFIER, shared_memory::my_database()) {
            pgrx::log!(
                "eventcore: no background worker is free for the notifier, so subscribers find \
                 new events only when they poll; raise max_worker_processes"
            );
        }
    }

    /// Asks the notifier to leave its database. The next append there starts it again.
    pub fn send_notifier_away(&self) {
        self.leave.store(true, SeqCst);
        self.wake_notifier();
    }

    /// Makes this process the notifier; `false` if there is one already.
    pub fn become_notifier(&self) -> bool {
        self.notifier
            .compare_exchange(0, my_number(), SeqCst, SeqCst)
            .is_ok()
    }

    /// Makes room for another notifier, if this process is the one.
    pub fn resign(&self) {
        let _ = self
            .notifier
            .compare_exchange(my_number(), 0, SeqCst, SeqCst);
    }

    /// Whether the notifier is to leave.
    pub fn is_to_leave(&self) -> bool {
        self.leave.load(SeqCst)
    }

    /// Whether the notifier has been told something since [`Self::look`].
    pub fn is_told(&self) -> bool {
        self.pending.load(SeqCst)
    }

    /// The notifier is about to look: whatever ends after this tells it anew.
    pub fn look(&self) {
        self.pending.store(false, SeqCst);
    }

    fn wake_notifier(&self) {
        if let Some(process) = self.notifier.load(SeqCst).checked_sub(1) {
            wake_process(process as usize);
        }
    }
}

fn my_number() -> u32 {
    u32::try_from(my_process_number()).map_or(0, |number| number + 1)
}
