//! The notifier: one background worker per database, which turns "the safe position moved" into
//! one NOTIFY for many appends, and wakes those in `eventcore_wait`.
//!
//! NOTIFY takes a lock of the whole cluster until the log is flushed, so no append may send it. An
//! append sets a flag after its end, and a latch if the flag was not set. The notifier announces at
//! once when it was idle; under load it pauses between announcements, the longer the more is
//! appended, so that listeners do not take the processors from the writers.

use crate::catalog::Catalog;
use crate::error::Error;
use crate::pg::sequence;
use crate::pg::worker::{self, Worker};
use crate::registry::Registry;
use crate::wake::Wake;
use std::cell::Cell;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// What to LISTEN to; the payload is the safe position.
const CHANNEL: &CStr = c"eventcore";

/// How often an idle notifier looks whether the extension is still there.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// The pauses between two announcements.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(16);

/// When more positions than this were drawn during a pause, the next one is longer.
const BUSY: i64 = 16;

thread_local! {
    /// What this process announces for, once it is a notifier.
    static MINE: Cell<Option<&'static Wake>> = const { Cell::new(None) };
}

/// The notifier's process, from its start to its end.
pub fn run(database: u32) -> ! {
    let worker = Worker::connect(database);
    let Some((catalog, registry)) = find_extension(&worker) else {
        worker.end(false)
    };
    let wake = registry.wake();
    if !wake.become_notifier() {
        // Another one was faster.
        worker.end(false);
    }
    MINE.set(Some(wake));
    worker::at_exit(|| MINE.take().map_or((), Wake::resign));

    let mut announced = 0;
    let mut pause = SHORTEST_PAUSE;
    let mut looked_around = Instant::now();
    loop {
        if wake.is_to_leave() {
            worker.end(false);
        }
        if looked_around.elapsed() > LOOK_AROUND {
            looked_around = Instant::now();
            if !worker.transaction(|| open().is_ok_and(|(now, _)| now.is_same(&catalog))) {
                worker.end(false);
            }
        }
        wake.look();
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
        if !wake.is_told() && !worker.wait(LOOK_AROUND) {
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
