//! Waking up: how the end of an append reaches the notifier, and the notifier those who wait.

use crate::pg::clock::monotonic;
use crate::pg::shared_memory::{ProcessCell, WaitQueue, process_id};
use crate::processes::launcher_latch;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// How often those who wait clear_pending for themselves: on a standby, or when a wake-up got lost.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a notifier stays away from a database that somebody needs for themselves, in
/// microseconds: PostgreSQL waits for 5 s for others to leave.
const AWAY: i64 = 6_000_000;

/// The wake-ups of one database, in shared memory.
pub struct Wake {
    /// The notifier's process.
    notifier: ProcessCell,
    /// The notifier has been told and has not looked yet.
    pending: AtomicBool,
    /// There shall be a notifier.
    wanted: AtomicBool,
    /// But not before this time, on the clock that is never set.
    away_until: AtomicI64,
    /// Those who wait for new events.
    pub waiting: WaitQueue,
    /// Those who wait for new events, or for another consumer to release a stream.
    pub blocked: WaitQueue,
    /// Those who wait for a projection.
    pub projected: WaitQueue,
    /// More owners have projections to run than there may be workers.
    crowded: AtomicBool,
    /// The server had no place for another worker when the notifier wanted to start one.
    short: AtomicBool,
    /// How often work has been announced that is no new event.
    announced: AtomicI64,
    /// How often those who wait have looked since the last announcement of new events.
    checks: AtomicU32,
}

impl Wake {
    pub fn fresh() -> Self {
        Self {
            notifier: ProcessCell::empty(),
            pending: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            away_until: AtomicI64::new(0),
            waiting: WaitQueue::fresh(),
            blocked: WaitQueue::fresh(),
            projected: WaitQueue::fresh(),
            crowded: AtomicBool::new(false),
            short: AtomicBool::new(false),
            announced: AtomicI64::new(0),
            checks: AtomicU32::new(0),
        }
    }

    /// To be called once, in its place in shared memory.
    pub fn placed(&self) {
        self.waiting.placed();
        self.blocked.placed();
        self.projected.placed();
    }

    /// Forgets what was wanted of a database whose place another one gets.
    pub fn reset(&self) {
        self.wanted.store(false, SeqCst);
        self.pending.store(false, SeqCst);
        self.away_until.store(0, SeqCst);
    }

    /// Tells the notifier that the safe position may have moved, and wants one if there is none.
    /// Costs next to nothing when it has been told already and has not looked yet. Cannot fail.
    pub fn tell_notifier(&self) {
        // Most find it set: they leave its memory to others.
        if !self.pending.load(SeqCst) && !self.pending.swap(true, SeqCst) {
            self.wake_notifier();
        }
    }

    /// Wakes all who wait for new events; returns how many looked after the last time.
    pub fn wake_waiting(&self) -> u32 {
        let checks = self.checks.swap(0, SeqCst);
        self.waiting.wake_all();
        self.blocked.wake_all();
        checks
    }

    /// Whether somebody waits for something that the log of another server may bring.
    pub fn has_waiters(&self) -> bool {
        [&self.waiting, &self.blocked, &self.projected]
            .into_iter()
            .any(WaitQueue::has_waiters)
    }

    /// Wakes all of them.
    pub fn wake_all_waiters(&self) {
        self.waiting.wake_all();
        self.blocked.wake_all();
        self.projected.wake_all();
    }

    /// Somebody who waits checks for new events.
    pub fn count_check(&self) {
        self.checks.fetch_add(1, SeqCst);
    }

    /// There is work that is no new event: a stream was released, or, for all, a subscription
    /// changed. Cannot fail.
    pub fn announce_work(&self, to_all: bool) {
        self.announced.fetch_add(1, SeqCst);
        if to_all {
            self.waiting.wake_all();
        }
        self.blocked.wake_all();
    }

    /// How often that has happened.
    pub fn announced_work(&self) -> i64 {
        self.announced.load(SeqCst)
    }

    /// Whether there is a notifier.
    pub fn has_notifier(&self) -> bool {
        self.notifier.get().is_some()
    }

    /// The pid of the notifier, if there is one.
    pub fn notifier_pid(&self) -> Option<i32> {
        self.notifier.get().and_then(process_id)
    }

    /// What is to be said of the notifier in a word.
    pub fn state(&self) -> &'static str {
        match (self.has_notifier(), self.wanted.load(SeqCst)) {
            (false, false) => "none",
            _ if self.is_away() => "away",
            (true, _) => "running",
            (false, true) => "starting",
        }
    }

    /// Whether a notifier is to be started now.
    pub fn lacks_notifier(&self) -> bool {
        self.wanted.load(SeqCst) && !self.has_notifier() && !self.is_away()
    }

    /// Says whether workers are to make room for those of other owners.
    pub fn set_crowded(&self, crowded: bool) {
        if self.crowded.swap(crowded, SeqCst) != crowded && crowded {
            self.waiting.wake_all();
        }
    }

    /// Whether workers are to make room for those of other owners.
    pub fn is_crowded(&self) -> bool {
        self.crowded.load(SeqCst)
    }

    /// Says whether there are projections for which the server has no worker.
    pub fn set_lacks_workers(&self, lacks: bool) {
        self.short.store(lacks, SeqCst);
    }

    /// Whether there are projections for which the server has no worker.
    pub fn lacks_workers(&self) -> bool {
        self.short.load(SeqCst)
    }

    /// Asks the notifier, and the workers that it has started, to leave their database for a while.
    pub fn send_notifier_away(&self) {
        self.away_until.store(monotonic() + AWAY, SeqCst);
        self.waiting.wake_all();
        self.notifier.wake();
    }

    /// Whether the notifier has to stay away.
    pub fn is_away(&self) -> bool {
        monotonic() < self.away_until.load(SeqCst)
    }

    /// Makes this process the notifier; `false` if there is one already.
    pub fn become_notifier(&self) -> bool {
        self.wanted.store(true, SeqCst);
        self.notifier.claim()
    }

    /// Makes room for another notifier, if this process is the one. The workers that it has started
    /// leave: the next one starts its own.
    pub fn resign(&self) {
        if self.notifier.release() {
            self.waiting.wake_all();
        }
    }

    /// Makes room, and wants no other notifier until an append ends.
    pub fn dismiss(&self) {
        self.wanted.store(false, SeqCst);
        self.resign();
        if self.is_pending() {
            // By somebody who still found us here.
            self.wake_notifier();
        }
    }

    /// Whether the notifier has been told something since [`Self::clear_pending`].
    pub fn is_pending(&self) -> bool {
        self.pending.load(SeqCst)
    }

    /// The notifier is about to clear_pending: whatever ends after this tells it anew.
    pub fn clear_pending(&self) {
        self.pending.store(false, SeqCst);
    }

    fn wake_notifier(&self) {
        if !self.notifier.wake() {
            self.wanted.store(true, SeqCst);
            launcher_latch::wake();
        }
    }
}
