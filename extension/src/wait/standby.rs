//! Waking up on a hot standby: no append ends there, and what the log brings wakes nobody by itself.
//!
//! Whoever waits on a standby starts one background worker for the server, if there is none. While somebody waits it
//! compares how far the log has been replayed, and wakes those who wait when it has moved. It ends when the server is
//! promoted: from then on the notifiers do this.

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

/// How often it compares while somebody waits. Those who wait look each time that the log has moved.
const COMPARE_EVERY: Duration = Duration::from_millis(4);

/// How long it sleeps while nobody waits.
const IDLE: Duration = Duration::from_secs(10);

/// How often those who wait on a standby look for themselves where the server has no place for the worker.
const WITHOUT_WORKER: Duration = Duration::from_millis(50);

static PROCESS: SharedArray<Process> = SharedArray::new(c"eventcore standby");

/// The process of the worker, if it is there.
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
    /// When this process has started the worker last, and whether there was a place for it.
    static STARTED: Cell<Option<(Instant, bool)>> = const { Cell::new(None) };
}

/// To be called by whoever is about to wait, and again at each look, when it is known to wait: so the worker sees it.
/// Returns how often it has to look for itself.
pub fn watch() -> Duration {
    if !transaction::is_standby() {
        return RECHECK_INTERVAL;
    }
    if PROCESS.get().first().is_some_and(|worker| worker.0.wake()) {
        return RECHECK_INTERVAL;
    }
    let started = match STARTED.get() {
        // It may be on its way.
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

/// The worker's process, from its start to its end.
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
    // Whoever still waits goes on as on any primary.
    registry::wake_all_waiters();
    worker.end()
}
