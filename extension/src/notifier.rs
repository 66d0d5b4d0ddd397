//! The notifier: one background worker per database, which turns "the safe position moved" into
//! one NOTIFY for many appends, and wakes those in `eventcore_wait`.
//!
//! NOTIFY takes a lock of the whole cluster until the log is flushed, so no append may send it. An
//! append sets a flag after its end, and a latch if the flag was not set. The notifier announces at
//! once when it was idle; under load it pauses between announcements, the longer the more is
//! appended, so that listeners do not take the processors from the writers.

use crate::catalog::Catalog;
use crate::error::Error;
use crate::pg::worker::{self, Kind, Worker};
use crate::pg::{sequence, shared_memory, transaction};
use crate::registry::{self, Registry, Wake};
use std::ffi::CStr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What to LISTEN to; the payload is the safe position.
const CHANNEL: &CStr = c"eventcore";

const KIND: Kind = Kind {
    name: "eventcore notifier",
    function: "eventcore_notifier_main",
    restart_after: Duration::from_secs(1),
};

/// How often an idle notifier looks whether the extension is still there.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// The pauses between two announcements.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// When more positions than this were drawn during a pause, the next one is longer.
const BUSY: i64 = 16;

/// At most one attempt to start a notifier in this many microseconds.
const RETRY_AFTER: i64 = 1_000_000;

/// Starts the notifier of this database if there is none. Costs one load when there is.
pub fn ensure_running(wake: &Wake) {
    if wake.notifier.load(SeqCst) != 0 {
        return;
    }
    let (asked_at, now) = (wake.asked_at.load(SeqCst), transaction::now());
    let is_mine = now - asked_at > RETRY_AFTER
        && wake
            .asked_at
            .compare_exchange(asked_at, now, SeqCst, SeqCst)
            .is_ok();
    if !is_mine {
        return;
    }
    wake.leave.store(false, SeqCst);
    if !worker::start(&KIND, shared_memory::my_database()) {
        pgrx::log!(
            "eventcore: no background worker is free for the notifier, so subscribers find new \
             events only when they poll; raise max_worker_processes"
        );
    }
}

/// Sends the notifier away from a database that somebody needs for themselves. The next append
/// there starts it again.
pub fn make_way(database: u32) {
    registry::send_notifier_away(database);
}

/// The notifier's process, from its start to its end.
pub fn run(database: u32) -> ! {
    let worker = Worker::connect(database);
    let Some((catalog, registry)) = find_extension(&worker) else {
        worker.end(false)
    };
    let wake = registry.wake();
    let me = shared_memory::my_process_number() as u32 + 1;
    if wake
        .notifier
        .compare_exchange(0, me, SeqCst, SeqCst)
        .is_err()
    {
        // Another one was faster.
        worker.end(false);
    }
    worker::at_exit(resign);

    let mut announced = 0;
    let mut pause = SHORTEST_PAUSE;
    let mut looked_around = Instant::now();
    loop {
        if wake.leave.load(SeqCst) {
            worker.end(false);
        }
        if looked_around.elapsed() > LOOK_AROUND {
            looked_around = Instant::now();
            if !worker.transaction(|| open().is_ok_and(|(now, _)| now.is_same(&catalog))) {
                worker.end(false);
            }
        }
        // Before the look: what ends after it sets the flag anew.
        wake.pending.store(false, SeqCst);
        if let Some(safe) = registry.safe_in_memory().filter(|safe| *safe > announced) {
            wake.waiting.wake_all();
            worker.transaction(|| {
                sequence::set_last_value(catalog.settled_position, safe);
                worker::notify(CHANNEL, safe);
            });
            let busy = safe - announced > BUSY;
            pause = if busy { pause * 2 } else { pause / 2 }.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
            announced = safe;
            worker.pause(pause);
        }
        if !wake.pending.load(SeqCst) && !worker.wait(LOOK_AROUND) {
            // Terminated: the server starts another, unless it is shutting down itself.
            worker.end(true);
        }
    }
}

/// The extension may have been created by a transaction that appended and has not committed yet.
fn find_extension(worker: &Worker) -> Option<(Catalog, Registry)> {
    for _ in 0..3 {
        let found = worker.transaction(|| open().ok());
        if found.is_some() {
            return found;
        }
        if !worker.wait(Duration::from_secs(1)) {
            return None;
        }
    }
    None
}

fn open() -> Result<(Catalog, Registry), Error> {
    let catalog = Catalog::load()?;
    let registry = Registry::open(&catalog)?;
    Ok((catalog, registry))
}

/// Leaves the place to another notifier.
fn resign() {
    if let Some(wake) = registry::wake_of_this_database() {
        let me = shared_memory::my_process_number() as u32 + 1;
        let _ = wake.notifier.compare_exchange(me, 0, SeqCst, SeqCst);
    }
}
