//! The notifier: one background worker per database, which turns "the safe position moved" into
//! one NOTIFY for many appends, and wakes those in `eventcore_wait`.
//!
//! NOTIFY takes a lock of the whole cluster until the log is flushed, so no append may send it. An
//! append sets a flag after its end, and a latch if the flag was not set. The notifier announces at
//! once when it was idle; under load it pauses between announcements, the longer the more appends
//! are in flight, so that listeners do not take the processors from the writers.
//!
//! It starts the workers that run projections, too: see [`pool`].
//!
//! It leaves when somebody needs the database for themselves, and where nobody has appended since
//! the server started; the [launcher](crate::launcher) starts it again.

use crate::catalog::Catalog;
use crate::error::Error;
use crate::freeze::is_frozen;
use crate::pg::sequence;
use crate::pg::session::current_role;
use crate::pg::worker::{self, Worker};
use crate::projections::pool::{Owners, Pool};
use crate::registry::{self, Registry};
use crate::wake::Wake;
use std::cell::Cell;
use std::ffi::CStr;
use std::time::Duration;

/// What to LISTEN to; the payload is the safe position.
const CHANNEL: &CStr = c"eventcore";

/// How long an idle notifier waits before it looks for itself.
const INTERVAL: Duration = Duration::from_secs(10);

/// The pauses between two announcements: so many milliseconds as appends are in flight, times more the
/// more wait. A single writer leaves room for prompt listeners, and many writers need the processors
/// themselves.
const SHORTEST_PAUSE: u32 = 2;
const LONGEST_PAUSE: u32 = 50;

/// So many processes that wake up and look cost the writers as much again as the notification does.
const WAITING_THAT_COUNT: u32 = 4;

thread_local! {
    /// What this process announces for, once it is a notifier.
    static MINE: Cell<Option<&'static Wake>> = const { Cell::new(None) };
}

/// The notifier's process, from its start to its end.
pub fn run(database: u32) -> ! {
    let worker = Worker::connect(database);
    worker::at_exit(|| MINE.take().map_or((), Wake::resign));
    let mut pool = Pool::default();
    while let Some((catalog, registry)) = worker.transaction(|| find(database)) {
        let wake = registry.wake();
        if MINE.get().is_none() {
            if !wake.become_notifier() {
                // Another one was faster.
                worker.end();
            }
            MINE.set(Some(wake));
            registry.announced().start();
        }
        announce(&worker, database, &catalog, &registry, &mut pool);
    }
    // The extension is not there, or not any more.
    registry::dismiss_notifier(database);
    worker.end()
}

/// Announces for one installation of the extension, until another one takes its place.
fn announce(
    worker: &Worker,
    database: u32,
    catalog: &Catalog,
    registry: &Registry,
    pool: &mut Pool,
) {
    let wake = registry.wake();
    let mut announced = 0;
    let mut pause = SHORTEST_PAUSE;
    loop {
        wake.look();
        if wake.is_away() {
            pool.end();
            worker.end();
        }
        let Some(Look {
            safe,
            load,
            dormant,
            owners,
        }) = worker.transaction(|| look(catalog, announced))
        else {
            return;
        };
        if safe > announced {
            registry.announced().sent(safe);
            // One look may meet a lull: halfway to what it says.
            pause = u32::midpoint(pause, load.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
            announced = safe;
            worker.pause(Duration::from_millis(pause.into()));
        }
        let look_again = pool.tend(database, wake, &owners);
        if dormant && owners.is_empty() {
            wake.dismiss();
            worker.end();
        }
        // Also when there is more to do at once: whoever wants this process to end is heard here.
        let wait = if wake.is_told() {
            Duration::ZERO
        } else {
            look_again.unwrap_or(INTERVAL)
        };
        if !worker.wait(wait) {
            worker.end();
        }
    }
}

/// What the notifier found.
struct Look {
    safe: i64,
    /// How many transactions hold positions, times more the more wait.
    load: u32,
    /// Nobody has appended since the server started.
    dormant: bool,
    /// Whose projections are to be run.
    owners: Owners,
}

/// Finds out the safe position and sends a notification if it has moved; `None` when the extension
/// is another one by now.
fn look(catalog: &Catalog, announced: i64) -> Option<Look> {
    let (now, registry) = open().ok()?;
    if !now.is_same(catalog) {
        return None;
    }
    let safe = registry.safe_position().ok()?;
    let mut load = registry.in_flight();
    if safe > announced {
        // First: should the notification fail, as with a full queue, they have been woken.
        let waiting = registry.wake().wake_waiting();
        load = load.saturating_mul(1 + waiting / WAITING_THAT_COUNT);
        if sequence::last_value(catalog.settled_position).unwrap_or(0) < safe
            && !is_frozen(current_role())
        {
            sequence::set_last_value(catalog.settled_position, safe);
        }
        worker::notify(CHANNEL, safe);
    }
    Some(Look {
        safe,
        load,
        dormant: registry.safe_in_memory().is_none(),
        owners: Owners::find().ok()?,
    })
}

/// The extension in this database, if it is there.
fn find(database: u32) -> Option<(Catalog, Registry)> {
    registry::look(database);
    open().ok()
}

fn open() -> Result<(Catalog, Registry), Error> {
    let catalog = Catalog::load()?;
    let registry = Registry::open(&catalog)?;
    Ok((catalog, registry))
}
