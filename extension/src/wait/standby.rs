//! Waking waiters on a hot standby. No append ends there, and replaying the log wakes nobody.
//!
//! A process that waits on a standby starts one background worker for the server, if there is none.
//! While any process waits, the worker compares how far the log has been replayed, and wakes the
//! waiters when that has moved. It ends when the server is promoted. From then on the notifiers
//! wake waiters.

use crate::pg::process;
use crate::pg::shared_memory::{ProcessCell, Shared, SharedArray};
use crate::pg::worker::{self, Kind, Worker};
use crate::pg::{transaction, wal};
use crate::registry;
use crate::registry::wake::RECHECK_INTERVAL;
use std::cell::Cell;
use std::time::{Duration, Instant};

const KIND: Kind = Kind {
    name: "eventcore standby",
    function: "eventcore_standby_main",
};

/// How often the worker compares while a process waits. Waiters check each time that the log has
/// moved.
const COMPARE_EVERY: Duration = Duration::from_millis(4);

/// How long the worker sleeps while no process waits.
const IDLE: Duration = Duration::from_secs(10);

/// How often waiters on a standby check on their own if the server has no free background worker.
const WITHOUT_WORKER: Duration = Duration::from_millis(50);

static PROCESS: SharedArray<Process> = SharedArray::new(c"eventcore standby");

/// The process of the worker.
struct Process(ProcessCell);

impl Shared for Process {
    fn fresh() -> Self {
        Self(ProcessCell::empty())
    }
}

pub fn request_shared_memory() {
    PROCESS.request(1);
}

pub fn attach_shared_memory() {
    PROCESS.attach(1);
}

thread_local! {
    /// When this process last tried to start the worker, and whether it could.
    static STARTED: Cell<Option<(Instant, bool)>> = const { Cell::new(None) };
}

/// Wakes or starts the worker. To be called by a waiter before it waits, and again at each check
/// when it is registered as a waiter, so that the worker sees it. Returns how often the waiter has
/// to check on its own.
pub fn watch() -> Duration {
    if !transaction::is_standby() {
        return RECHECK_INTERVAL;
    }
    if PROCESS.get().first().is_some_and(|worker| worker.0.wake()) {
        return RECHECK_INTERVAL;
    }
    let started = match STARTED.get() {
        // The worker may be starting.
        Some((at, started)) if at.elapsed() < RECHECK_INTERVAL => started,
        _ => worker::start_on_standby(&KIND).is_some(),
    };
    if STARTED
        .get()
        .is_none_or(|(at, _)| at.elapsed() >= RECHECK_INTERVAL)
    {
        STARTED.set(Some((Instant::now(), started)));
    }
    if started {
        RECHECK_INTERVAL
    } else {
        WITHOUT_WORKER
    }
}

/// The main function of the worker's process.
pub fn run() -> ! {
    let worker = Worker::connect_to_no_database();
    let is_first = PROCESS.get().first().is_some_and(|worker| worker.0.claim());
    if !is_first {
        worker.end();
    }
    process::at_exit(|| {
        if let Some(process) = PROCESS.get().first() {
            process.0.release();
        }
    });
    let mut seen = 0;
    while transaction::is_standby() {
        let wait = if registry::has_waiters() {
            let replayed = wal::replayed();
            if replayed != seen {
                seen = replayed;
                registry::wake_all_waiters();
            }
            COMPARE_EVERY
        } else {
            IDLE
        };
        if !worker.wait(wait) {
            break;
        }
    }
    // After a promotion, waiters continue as on any primary.
    registry::wake_all_waiters();
    worker.end()
}
