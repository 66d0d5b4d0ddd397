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
//! the server started; the [launcher](super::launcher) starts it again.

use crate::error::{Error, Unavailable};
use crate::pg::process;
use crate::pg::relation::Use;
use crate::pg::session::current_role;
use crate::pg::worker::{self, Worker};
use crate::pg::{sequence, standbys, wal};
use crate::processes;
use crate::processes::freeze::is_frozen;
use crate::processes::retry::Retry;
use crate::projections::pool::{Owners, Pool};
use crate::registry::wake::Wake;
use crate::registry::{self, Registry};
use crate::tables::{Catalog, Events};
use std::cell::Cell;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// What to LISTEN to; the payload is the safe position.
const CHANNEL: &CStr = c"eventcore";

/// How long an idle notifier waits before it looks for itself.
const INTERVAL: Duration = Duration::from_secs(10);

/// The pauses between two announcements: so many milliseconds as appends are in flight, times more the
/// more wait. A single writer leaves room for prompt listeners, and many writers need the processors
/// themselves.
const SHORTEST_PAUSE: u32 = 2;
const LONGEST_PAUSE: u32 = 50;

/// How soon it looks again while readers wait for a synchronous standby: later each time, up to the longer of these.
const SHORTEST_WATCH: Duration = Duration::from_millis(2);
const LONGEST_WATCH: Duration = Duration::from_millis(50);

/// How often it looks at the projections while there are new events all the time.
const ADJUST_WORKERS_EVERY: Duration = Duration::from_millis(20);

/// So many processes that wake up and clear_pending cost the writers as much again as the notification does.
const WAITERS_PER_EXTRA_LOAD: u32 = 4;

thread_local! {
    /// What this process announces for, once it is a notifier.
    static MY_WAKE: Cell<Option<&'static Wake>> = const { Cell::new(None) };
}

/// The notifier's process, from its start to its end.
pub fn run(database: u32) -> ! {
    processes::begin(processes::Kind::Notifier, database, 0);
    let worker = Worker::connect(database);
    processes::is_at_work();
    process::at_exit(|| MY_WAKE.take().map_or((), Wake::resign));
    let mut notifier = Notifier {
        worker,
        database,
        pool: Pool::default(),
        history_retry: Retry::new("the notifier cannot begin another history"),
        extension_retry: Retry::new("the notifier cannot clear_pending for the extension"),
        events_retry: Retry::new("the notifier cannot clear_pending for new events"),
        notification_retry: Retry::new("the notifier cannot send a notification"),
        workers_retry: Retry::new("the notifier cannot clear_pending for projections"),
    };
    loop {
        let (catalog, registry) = match notifier.worker.attempt(|| find(database)) {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(error) => {
                let pause = notifier.extension_retry.failed(&error);
                notifier.wait(pause);
                continue;
            }
        };
        notifier.extension_retry.succeeded();
        let wake = registry.wake();
        if MY_WAKE.get().is_none() {
            if !wake.become_notifier() {
                // Another one was faster.
                notifier.worker.end();
            }
            MY_WAKE.set(Some(wake));
            registry.announcements().start();
        }
        notifier.announce(&catalog, &registry);
    }
    // The extension is not there, or not any more.
    registry::dismiss_notifier(database);
    notifier.worker.end()
}

struct Notifier {
    worker: Worker,
    database: u32,
    pool: Pool,
    history_retry: Retry,
    extension_retry: Retry,
    events_retry: Retry,
    notification_retry: Retry,
    workers_retry: Retry,
}

impl Notifier {
    /// Announces for one installation of the extension, until another one takes its place.
    fn announce(&mut self, catalog: &Catalog, registry: &Registry) {
        let wake = registry.wake();
        let (mut woken, mut announced) = (0, 0);
        let mut pause = SHORTEST_PAUSE;
        let mut adjusted = None::<Instant>;
        let mut watch = SHORTEST_WATCH;
        // What this cannot do the first append does.
        match self.worker.attempt(|| begin_history(registry)) {
            Ok(()) => self.history_retry.succeeded(),
            Err(error) => drop(self.history_retry.failed(&error)),
        }
        loop {
            wake.clear_pending();
            if wake.is_away() {
                self.pool.end();
                self.worker.end();
            }
            let Findings {
                safe,
                load,
                dormant,
                unconfirmed,
            } = match self.worker.attempt(|| check(catalog, woken)) {
                Ok(Some(found)) => found,
                Ok(None) => return,
                Err(error) => {
                    let pause = self.events_retry.failed(&error);
                    self.wait(pause);
                    continue;
                }
            };
            self.events_retry.succeeded();
            let moved = safe > woken;
            woken = safe;
            let mut written = None;
            if safe > announced && self.notification_retry.remaining().is_none() {
                match self.worker.attempt(|| Ok(send(catalog, safe))) {
                    Ok(end) => {
                        self.notification_retry.succeeded();
                        registry.announcements().sent(safe);
                        written = end;
                        announced = safe;
                        // One clear_pending may meet a lull: halfway to what it says.
                        pause = u32::midpoint(pause, load.clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
                    }
                    Err(error) => {
                        self.notification_retry.failed(&error);
                    }
                }
            }
            if moved {
                self.worker.pause(Duration::from_millis(pause.into()));
                watch = SHORTEST_WATCH;
            }
            if let Some(end) = written {
                // By now the next appends have done it, if there are any.
                wal::flush_up_to(end);
            }
            let mut wait = self.notification_retry.remaining().unwrap_or(INTERVAL);
            // Under load not as often as new events.
            let due = ADJUST_WORKERS_EVERY
                .saturating_sub(adjusted.map_or(ADJUST_WORKERS_EVERY, |at| at.elapsed()));
            if due.is_zero() || !wake.is_pending() {
                adjusted = Some(Instant::now());
                let (again, nothing) = self.adjust_workers(wake);
                wait = wait.min(again);
                if dormant && nothing && !unconfirmed {
                    wake.dismiss();
                    self.worker.end();
                }
            } else {
                wait = wait.min(due);
            }
            if unconfirmed {
                watch = LONGEST_WATCH.min(watch * 2);
                wait = wait.min(watch);
            }
            // Also when there is more to do at once: whoever wants this process to end is heard here.
            if wake.is_pending() {
                wait = Duration::ZERO;
            }
            self.wait(wait);
        }
    }

    /// Sees to the workers of projections; returns how soon to clear_pending again, and whether there is nothing to be run.
    fn adjust_workers(&mut self, wake: &Wake) -> (Duration, bool) {
        if let Some(remaining) = self.workers_retry.remaining() {
            return (remaining, false);
        }
        match self.worker.attempt(Owners::find) {
            Ok(owners) => {
                self.workers_retry.succeeded();
                let again = self.pool.adjust(self.database, wake, &owners);
                (again.unwrap_or(INTERVAL), owners.is_empty())
            }
            Err(error) => (self.workers_retry.failed(&error), false),
        }
    }

    /// Waits until it is told something, or for `at_most`; ends the process if it has been told to.
    fn wait(&self, at_most: Duration) {
        if !self.worker.wait(at_most) {
            self.worker.end();
        }
    }
}

/// What the notifier found.
struct Findings {
    safe: i64,
    /// How many transactions hold positions, times more the more wait.
    load: u32,
    /// Nobody has appended since the server started.
    dormant: bool,
    /// There is more, and readers wait for a synchronous standby.
    unconfirmed: bool,
}

/// Finds out the safe position and wakes those who wait if it has moved; `None` when the extension is another one by
/// now.
fn check(catalog: &Catalog, woken: i64) -> Result<Option<Findings>, Error> {
    let Some((now, registry)) = open()? else {
        return Ok(None);
    };
    if !now.is_same(catalog) {
        return Ok(None);
    }
    let safe = registry.safe_position()?;
    let mut load = registry.in_flight();
    if safe > woken {
        let waiting = registry.wake().wake_waiting();
        load = load.saturating_mul(1 + waiting / WAITERS_PER_EXTRA_LOAD);
    }
    Ok(Some(Findings {
        safe,
        load,
        dormant: registry.safe_in_memory().is_none(),
        unconfirmed: registry.held_for_standbys().is_some(),
    }))
}

/// Sends a notification, and notes the position for standbys. In a transaction of its own, for it may fail: of the
/// queue of notifications one session that listens and does not read makes the end. Returns
/// where the log ends with what standbys are to hear, if there are any: nobody flushes it for an idle server.
fn send(catalog: &Catalog, safe: i64) -> Option<u64> {
    let mut written = None;
    if sequence::last_value(catalog.objects.settled_position).unwrap_or(0) < safe
        && !is_frozen(current_role())
    {
        sequence::set_last_value(catalog.objects.settled_position, safe);
        written = standbys::are_connected().then(wal::end_of_log);
    }
    worker::notify(CHANNEL, safe);
    written
}

/// Begins another history if nobody has appended since the server started: it may be one that was promoted.
fn begin_history(registry: &Registry) -> Result<(), Error> {
    if registry.safe_in_memory().is_some() || is_frozen(current_role()) {
        return Ok(());
    }
    registry.begin_history(&Events::open(Use::Write)?)
}

/// The extension in this database, if it is there.
fn find(database: u32) -> Result<Option<(Catalog, Registry)>, Error> {
    registry::clear_pending(database);
    open()
}

/// `None` where there is no place for a notifier. What is merely in disorder is an error, to be noted and tried again.
fn open() -> Result<Option<(Catalog, Registry)>, Error> {
    let opened = Catalog::load().and_then(|catalog| {
        let registry = Registry::open(&catalog)?;
        Ok((catalog, registry))
    });
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(Error::Unavailable(
            Unavailable::NotInstalled | Unavailable::TooManyDatabases { .. },
        )) => Ok(None),
        Err(error) => Err(error),
    }
}
