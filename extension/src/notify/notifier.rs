//! The notifier: one background worker per database. It sends one NOTIFY for many appends when the
//! safe position has moved, and wakes waiters in `eventcore_wait`.
//!
//! NOTIFY holds a lock of the whole cluster until the log is flushed, so no append may send it. An
//! append sets a flag after its end, and wakes the notifier if the flag was not set. An idle
//! notifier announces new events at once. Under load it pauses between announcements, so that those
//! who wait and listen do not take the processors from writers: see [`announcing`].
//!
//! The notifier also starts the workers that run projections: see
//! [`pool`](crate::projections::pool).
//!
//! It ends when a statement needs exclusive use of the database, and if no event was appended since
//! the server started. The [launcher](super::launcher) starts it again.

use crate::error::{Error, Unavailable};
use crate::pg::clock::processor_time;
use crate::pg::process;
use crate::pg::relation::Use;
use crate::pg::session::current_role;
use crate::pg::worker::{self, Worker};
use crate::pg::{sequence, standbys, wal};
use crate::processes;
use crate::processes::freeze::is_frozen;
use crate::processes::retry::{Retry, log};
use crate::projections::pool::{Owners, Pool};
use crate::registry::wake::Wake;
use crate::registry::{self, Registry};
use crate::tables::{Catalog, Events};
use eventcore_rules::announcing;
use std::cell::Cell;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// The channel for LISTEN. The payload is the safe position.
const CHANNEL: &CStr = c"eventcore";

/// How often an idle notifier checks without being woken.
const INTERVAL: Duration = Duration::from_secs(10);

/// How soon the notifier checks again while readers wait for a synchronous standby. The interval
/// doubles each time, up to the longer of these.
const SHORTEST_WATCH: Duration = Duration::from_millis(2);
const LONGEST_WATCH: Duration = Duration::from_millis(50);

/// A longer pause is taken in pieces of this length, because the notifier may be sent away in it.
const PIECE: Duration = Duration::from_millis(50);

/// How often the notifier adjusts the workers while new events arrive all the time.
const ADJUST_WORKERS_EVERY: Duration = Duration::from_millis(20);

thread_local! {
    /// The wake-ups of the database for which this process is the notifier.
    static MY_WAKE: Cell<Option<&'static Wake>> = const { Cell::new(None) };
}

/// The main function of a notifier's process.
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
        extension_retry: Retry::new("the notifier cannot look for the extension"),
        events_retry: Retry::new("the notifier cannot look for new events"),
        notification_retry: Retry::new("the notifier cannot send a notification"),
        workers_retry: Retry::new("the notifier cannot look for projections"),
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
                // Another process became the notifier first.
                notifier.worker.end();
            }
            MY_WAKE.set(Some(wake));
            registry.announcements().start();
        }
        notifier.announce(&catalog, &registry);
    }
    // The extension is not installed, or no longer installed.
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
    /// Announces events for one installation of the extension, until another installation replaces
    /// it.
    fn announce(&mut self, catalog: &Catalog, registry: &Registry) {
        let wake = registry.wake();
        let (mut woken, mut announced) = (0, 0);
        let mut pause = announcing::SHORTEST_PAUSE;
        let mut adjusted = None::<Instant>;
        let mut watch = SHORTEST_WATCH;
        // If this fails, the first append does it.
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
                in_flight,
                waiting,
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
                let before = processor_time();
                match self.worker.attempt(|| Ok(send(catalog, safe))) {
                    Ok(end) => {
                        let sending = processor_time().saturating_sub(before);
                        self.notification_retry.succeeded();
                        registry.announcements().sent(safe);
                        written = end;
                        announced = safe;
                        pause = announcing::pause(pause, in_flight, waiting, sending);
                    }
                    Err(error) => {
                        self.notification_retry.failed(&error);
                        let removed = self.worker.attempt(|| {
                            worker::remove_read_notifications();
                            Ok(())
                        });
                        if let Err(error) = removed {
                            log("the notifier cannot remove read notifications", &error);
                        }
                    }
                }
            }
            let mut pause_now = Duration::ZERO;
            if moved {
                pause_now = Duration::from_millis(pause.into());
                watch = SHORTEST_WATCH;
            }
            self.give_way(wake, pause_now, written);
            let mut wait = self.notification_retry.remaining().unwrap_or(INTERVAL);
            // Under load, less often than new events arrive.
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
            // Waits even if there is more to do at once, because the wait notices a request to end.
            // The request to leave may have woken it in the pause.
            if wake.is_pending() || wake.is_away() {
                wait = Duration::ZERO;
            }
            self.wait(wait);
        }
    }

    /// Leaves the processors to the writers after an announcement. Flushes the log up to where standbys
    /// need it.
    fn give_way(&self, wake: &Wake, pause: Duration, written: Option<u64>) {
        let began = Instant::now();
        self.worker.pause(pause.min(PIECE));
        if let Some(end) = written {
            // Usually the next appends have flushed the log by now.
            wal::flush_up_to(end);
        }
        while began.elapsed() < pause && !wake.is_away() {
            self.wait(Duration::ZERO);
            let left = pause.saturating_sub(began.elapsed());
            self.worker.pause(left.min(PIECE));
        }
    }

    /// Adjusts the workers of projections; returns how soon to check again, and whether there is
    /// nothing to run.
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

    /// Waits until this process is woken, or for `at_most`. Ends the process if it was told to end.
    fn wait(&self, at_most: Duration) {
        if !self.worker.wait(at_most) {
            self.worker.end();
        }
    }
}

/// What the notifier found.
struct Findings {
    safe: i64,
    /// How many transactions hold positions.
    in_flight: u32,
    /// How often waiters have checked since the last announcement.
    waiting: u32,
    /// Whether no event was appended since the server started.
    dormant: bool,
    /// Whether readers wait for a synchronous standby.
    unconfirmed: bool,
}

/// Takes the safe position, and wakes the waiters if it has moved; `None` if another installation
/// has replaced this one.
fn check(catalog: &Catalog, woken: i64) -> Result<Option<Findings>, Error> {
    let Some((now, registry)) = open()? else {
        return Ok(None);
    };
    if !now.is_same(catalog) {
        return Ok(None);
    }
    let safe = registry.safe_position()?;
    let in_flight = registry.in_flight();
    let waiting = match safe > woken {
        true => registry.wake().wake_waiting(),
        false => 0,
    };
    Ok(Some(Findings {
        safe,
        in_flight,
        waiting,
        dormant: registry.safe_in_memory().is_none(),
        unconfirmed: registry.held_for_standbys().is_some(),
    }))
}

/// Sends a notification, and records the position for standbys. It runs in a transaction of its own
/// because it may fail: one listening session that does not read can fill the queue of
/// notifications. Returns the end of the log up to which standbys need it, if there are any,
/// because an idle server does not flush it by itself.
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

/// Begins a new history if no event was appended since the server started: the server may have been
/// promoted.
fn begin_history(registry: &Registry) -> Result<(), Error> {
    if registry.safe_in_memory().is_some() || is_frozen(current_role()) {
        return Ok(());
    }
    registry.begin_history(&Events::open(Use::Write)?)
}

/// The extension in this database, if it is installed.
fn find(database: u32) -> Result<Option<(Catalog, Registry)>, Error> {
    registry::clear_pending(database);
    open()
}

/// `None` if this database needs no notifier. Anything that is merely out of order is an error, to
/// be recorded and retried.
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
