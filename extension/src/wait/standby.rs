//! Waking up on a hot standby: no append ends there, and what the log brings wakes nobody by itself.
//!
//! Whoever waits on a standby starts one background worker for the server, if there is none. While somebody waits it
//! compares how far the log has been replayed, and wakes those who wait when it has moved. It ends when the server is
//! promoted: from then on the notifiers do this.

use crate::pg::process;
use crate::pg::shared_memory::{Shared, SharedArray, my_process_number, wake_process};
use crate::pg::worker::{self, Kind, Worker};
use crate::pg::{transaction, wal};
use crate::registry;
use crate::registry::wake::LOOK_AGAIN;
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
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

/// Where to find the worker: its process number plus one, 0 while there is none.
struct Process(AtomicU32);

impl Shared for Process {
    fn fresh() -> Self {
        Self(AtomicU32::new(0))
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
        return LOOK_AGAIN;
    }
    if let Some(number) = process() {
        wake_process(number);
        return LOOK_AGAIN;
    }
    let started = match STARTED.get() {
        // It may be on its way.
        Some((at, started)) if at.elapsed() < LOOK_AGAIN => started,
        _ => worker::start_on_standby(&KIND).is_some(),
    };
    if STARTED
        .get()
        .is_none_or(|(at, _)| at.elapsed() >= LOOK_AGAIN)
    {
        STARTED.set(Some((Instant::now(), started)));
    }
    if started { LOOK_AGAIN } else { WITHOUT_WORKER }
}

/// The worker's process, from its start to its end.
pub fn run() -> ! {
    let worker = Worker::connect_to_no_database();
    let number = u32::try_from(my_process_number()).map_or(0, |number| number + 1);
    let mine = PROCESS.get().first().map(|process| &process.0);
    let is_first =
        mine.is_some_and(|mine| mine.compare_exchange(0, number, SeqCst, SeqCst).is_ok());
    if !is_first {
        worker.end();
    }
    process::at_exit(|| {
        if let Some(process) = PROCESS.get().first() {
            process.0.store(0, SeqCst);
        }
    });
    let mut seen = 0;
    while transaction::is_standby() {
        let wait = if registry::is_awaited() {
            let replayed = wal::replayed();
            if replayed != seen {
                seen = replayed;
                registry::wake_all_who_wait();
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
    registry::wake_all_who_wait();
    worker.end()
}

fn process() -> Option<usize> {
    let number = PROCESS.get().first()?.0.load(SeqCst);
    number.checked_sub(1).map(|number| number as usize)
}
