//! How the end of an append reaches the notifier, and how the notifier wakes waiters.

use crate::pg::clock::monotonic;
use crate::pg::shared_memory::{ProcessCell, WaitQueue, process_id};
use crate::processes::launcher_latch;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// How often a waiter checks without being woken, for a wake-up that was lost.
pub const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a notifier stays away from a database that a statement needs exclusively, in
/// microseconds. PostgreSQL waits 5 s for other processes to leave.
const AWAY: i64 = 6_000_000;

/// How many numbers the projections of a database share.
const WANTED_CHECKPOINTS: usize = 32;

/// The wake-ups of one database, in shared memory.
pub struct Wake {
    /// The notifier.
    notifier: ProcessCell,
    /// Whether the notifier was told of a change and has not checked yet.
    pending: AtomicBool,
    /// Whether a notifier is wanted.
    wanted: AtomicBool,
    /// No notifier is wanted before this time, on the monotonic clock.
    away_until: AtomicI64,
    /// Waiters for new events.
    pub waiting: WaitQueue,
    /// Waiters for new events, or for another consumer to release a stream.
    pub blocked: WaitQueue,
    /// Waiters for a projection.
    pub projected: WaitQueue,
    /// Whether more owners have projections to run than there may be workers.
    crowded: AtomicBool,
    /// Whether the server had no free background worker when the notifier tried to start one.
    short: AtomicBool,
    /// How often work other than new events was announced.
    announced: AtomicI64,
    /// How often a subscription or a projection has changed.
    changes: AtomicI64,
    /// How often waiters have checked since new events were last announced.
    checks: AtomicU32,
    /// The highest position that a session wants to see in the checkpoint of a projection. Several
    /// projections may share one of these.
    wanted_checkpoints: [AtomicI64; WANTED_CHECKPOINTS],
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
            changes: AtomicI64::new(0),
            checks: AtomicU32::new(0),
            wanted_checkpoints: [const { AtomicI64::new(0) }; WANTED_CHECKPOINTS],
        }
    }

    /// Initialises the wait queues. To be called once, at their final address.
    pub fn placed(&self) {
        self.waiting.placed();
        self.blocked.placed();
        self.projected.placed();
    }

    /// Forgets the requests of a database whose slot another database takes.
    pub fn reset(&self) {
        self.wanted.store(false, SeqCst);
        self.pending.store(false, SeqCst);
        self.away_until.store(0, SeqCst);
        for wanted in &self.wanted_checkpoints {
            wanted.store(0, SeqCst);
        }
    }

    /// Tells the notifier that the safe position may have moved, and requests one if there is none.
    /// It costs almost nothing if the notifier was told already and has not checked yet. Cannot
    /// fail.
    pub fn tell_notifier(&self) {
        // Usually the flag is set already. Then this does not write to the shared cache line.
        if !self.pending.load(SeqCst) && !self.pending.swap(true, SeqCst) {
            self.wake_notifier();
        }
    }

    /// Wakes all waiters for new events; returns how often waiters have checked since the last
    /// call.
    pub fn wake_waiting(&self) -> u32 {
        let checks = self.checks.swap(0, SeqCst);
        self.waiting.wake_all();
        self.blocked.wake_all();
        checks
    }

    /// Whether a process waits for something that the log of another server may bring.
    pub fn has_waiters(&self) -> bool {
        [&self.waiting, &self.blocked, &self.projected]
            .into_iter()
            .any(WaitQueue::has_waiters)
    }

    /// Wakes all waiters.
    pub fn wake_all_waiters(&self) {
        self.waiting.wake_all();
        self.blocked.wake_all();
        self.projected.wake_all();
    }

    /// Counts that a waiter checks for new events.
    pub fn count_check(&self) {
        self.checks.fetch_add(1, SeqCst);
    }

    /// Announces work that is not a new event: a stream was released or, with `to_all`, a
    /// subscription or a projection has changed. Cannot fail.
    pub fn announce_work(&self, to_all: bool) {
        self.announced.fetch_add(1, SeqCst);
        if to_all {
            self.changes.fetch_add(1, SeqCst);
            self.waiting.wake_all();
        }
        self.blocked.wake_all();
    }

    /// Asks for the checkpoint of a projection to be written as soon as it can reach this position.
    pub fn want_checkpoint(&self, key: u64, position: i64) {
        if self.wanted_checkpoint(key).fetch_max(position, SeqCst) < position {
            self.waiting.wake_all();
        }
    }

    /// Whether a session wants a checkpoint of a projection above this one.
    pub fn is_checkpoint_wanted(&self, key: u64, checkpoint: i64) -> bool {
        let wanted = self.wanted_checkpoint(key);
        let position = wanted.load(SeqCst);
        if position > checkpoint && !self.projected.has_waiters() {
            // All sessions that asked have gone. One that is just checking will ask again.
            let _ = wanted.compare_exchange(position, checkpoint, SeqCst, SeqCst);
        }
        position > checkpoint
    }

    fn wanted_checkpoint(&self, key: u64) -> &AtomicI64 {
        let index = usize::try_from(key % WANTED_CHECKPOINTS as u64).unwrap_or(0);
        &self.wanted_checkpoints[index]
    }

    /// How often work was announced.
    pub fn announced_work(&self) -> i64 {
        self.announced.load(SeqCst)
    }

    /// How often a change of a subscription or a projection was announced.
    pub fn changes(&self) -> i64 {
        self.changes.load(SeqCst)
    }

    /// Whether there is a notifier.
    pub fn has_notifier(&self) -> bool {
        self.notifier.get().is_some()
    }

    /// The pid of the notifier, if there is one.
    pub fn notifier_pid(&self) -> Option<i32> {
        self.notifier.get().and_then(process_id)
    }

    /// The notifier's state as shown in `eventcore.stat_notifier`.
    pub fn state(&self) -> &'static str {
        match (self.has_notifier(), self.wanted.load(SeqCst)) {
            (false, false) => "none",
            _ if self.is_away() => "away",
            (true, _) => "running",
            (false, true) => "starting",
        }
    }

    /// Whether the launcher should start a notifier now.
    pub fn lacks_notifier(&self) -> bool {
        self.wanted.load(SeqCst) && !self.has_notifier() && !self.is_away()
    }

    /// Sets whether workers should make room for those of other owners.
    pub fn set_crowded(&self, crowded: bool) {
        if self.crowded.swap(crowded, SeqCst) != crowded && crowded {
            self.waiting.wake_all();
        }
    }

    /// Whether workers should make room for those of other owners.
    pub fn is_crowded(&self) -> bool {
        self.crowded.load(SeqCst)
    }

    /// Sets whether some projections have no worker because the server has none free.
    pub fn set_lacks_workers(&self, lacks: bool) {
        self.short.store(lacks, SeqCst);
    }

    /// Whether some projections have no worker because the server has none free.
    pub fn lacks_workers(&self) -> bool {
        self.short.load(SeqCst)
    }

    /// Asks the notifier, and the workers that it has started, to leave their database for a while.
    pub fn send_notifier_away(&self) {
        self.away_until.store(monotonic() + AWAY, SeqCst);
        self.waiting.wake_all();
        self.notifier.wake();
    }

    /// Whether the notifier has to stay away from the database.
    pub fn is_away(&self) -> bool {
        monotonic() < self.away_until.load(SeqCst)
    }

    /// Makes this process the notifier; returns `false` if there is one already.
    pub fn become_notifier(&self) -> bool {
        self.wanted.store(true, SeqCst);
        self.notifier.claim()
    }

    /// Makes room for another notifier, if this process is the notifier. The workers that it has
    /// started leave, because the next notifier starts its own.
    pub fn resign(&self) {
        if self.notifier.release() {
            self.waiting.wake_all();
        }
    }

    /// Makes room, and requests no other notifier until an append ends.
    pub fn dismiss(&self) {
        self.wanted.store(false, SeqCst);
        self.resign();
        if self.is_pending() {
            // An appender told this process just before it resigned.
            self.wake_notifier();
        }
    }

    /// Whether the notifier was told of a change since [`Self::clear_pending`].
    pub fn is_pending(&self) -> bool {
        self.pending.load(SeqCst)
    }

    /// Clears the pending flag, because the notifier is about to check. Whatever ends after this
    /// tells it again.
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
