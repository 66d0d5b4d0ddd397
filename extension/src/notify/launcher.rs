//! The launcher: one background worker for the server. It starts a notifier for every database that
//! needs one and has none.
//!
//! When the server has started, the launcher has a notifier inspect every database, so that
//! listeners and standbys hear of events that were appended before. If no background worker is
//! free, it does so later. After that, an append that finds no notifier wakes the launcher.

use crate::pg::databases;
use crate::pg::worker::{self, Kind, Worker, WorkerHandle};
use crate::processes::retry::{Retry, no_free_worker};
use crate::processes::{self, launcher_latch};
use crate::registry;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const KIND: Kind = Kind {
    name: "eventcore launcher",
    function: "eventcore_launcher_main",
};
const NOTIFIER: Kind = Kind {
    name: "eventcore notifier",
    function: "eventcore_notifier_main",
};

/// How often the launcher checks without being woken, and how soon the server restarts it after it
/// has died.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the launcher lets a notifier inspect a database before it goes on to the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the launcher checks whether an inspection is over.
const INSPECTION_INTERVAL: Duration = Duration::from_millis(100);

/// The longest pause between two notifiers of a database in which they end at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Makes the server start the launcher. To be called while the server is starting.
pub fn register() {
    if worker::may_work() {
        worker::register(&KIND, INTERVAL);
    }
}

/// The main function of the launcher's process.
pub fn run() -> ! {
    processes::begin(processes::Kind::Launcher, 0, 0);
    let worker = Worker::connect_to_no_database();
    processes::is_at_work();
    launcher_latch::become_launcher();
    launcher_latch::publish_settings();
    let mut launcher = Launcher {
        worker,
        uninspected: None,
        inspection: None,
        notifiers: HashMap::new(),
        databases_retry: Retry::new("the launcher cannot list the databases"),
        notifiers_retry: Retry::new(
            "a database has no notifier, and subscribers there find new events only when they poll",
        ),
    };
    loop {
        launcher.check();
        launcher.wait(match launcher.inspection {
            Some(_) => INSPECTION_INTERVAL,
            None => INTERVAL,
        });
    }
}

struct Launcher {
    worker: Worker,
    /// The databases that no notifier has inspected since the server started; `None` until they
    /// have been listed.
    uninspected: Option<VecDeque<u32>>,
    /// The database that a notifier inspects now, and since when.
    inspection: Option<(u32, Instant)>,
    /// The notifiers that this launcher has started, by database.
    notifiers: HashMap<u32, LastStart>,
    databases_retry: Retry,
    notifiers_retry: Retry,
}

/// The last start of a notifier in a database.
struct LastStart {
    process: WorkerHandle,
    started: Instant,
    /// The shortest time from this start to the next.
    pause: Duration,
}

impl LastStart {
    /// Whether the notifier has neither become the notifier of its database nor ended yet.
    fn inspects(&self, database: u32) -> bool {
        self.process.is_alive() && !registry::has_notifier(database)
    }
}

impl Launcher {
    /// Starts the notifiers that are missing.
    fn check(&mut self) {
        let lacking = registry::databases_without_notifier();
        let inspects_next =
            !self.is_inspecting() && !self.uninspected.as_ref().is_some_and(VecDeque::is_empty);
        let nothing_to_do = lacking.is_empty() && !inspects_next;
        if nothing_to_do || self.databases_retry.remaining().is_some() {
            return;
        }
        // A notifier would only end in a database that allows no connections, and log a line each
        // time.
        let connectable = match self.worker.attempt(|| Ok(databases::connectable())) {
            Ok(found) => found,
            Err(error) => {
                self.databases_retry.failed(&error);
                return;
            }
        };
        self.databases_retry.succeeded();
        for database in lacking {
            // While no worker is free, the launcher does not retry as soon as one ends, although
            // the server would tell it. Otherwise it would compete with databases whose notifier
            // asks for projection workers once a second.
            if connectable.contains(&database) && self.notifiers_retry.remaining().is_none() {
                self.start(database);
            }
        }
        if inspects_next {
            self.inspect_next(&connectable);
        }
    }

    /// Has a notifier inspect the next database that none has inspected. One at a time, because
    /// others need background workers too. The launcher does not wait for it: a notifier cannot log
    /// in while a transaction, perhaps a prepared one, has locked its database.
    fn inspect_next(&mut self, connectable: &[u32]) {
        let mut uninspected = match self.uninspected.take() {
            Some(mut left) => {
                left.retain(|database| connectable.contains(database));
                left
            }
            None => connectable.iter().copied().collect(),
        };
        if self.notifiers_retry.remaining().is_none()
            && let Some(database) = uninspected.pop_front()
        {
            if self.start(database) {
                self.inspection = Some((database, Instant::now()));
            } else {
                uninspected.push_front(database);
            }
        }
        self.uninspected = Some(uninspected);
    }

    /// Whether a notifier is still inspecting a database. One that takes too long is put off, and the
    /// next database has its turn.
    fn is_inspecting(&mut self) -> bool {
        let Some((database, begun)) = self.inspection else {
            return false;
        };
        let last = self.notifiers.get(&database);
        let inspects = last.is_some_and(|last| last.inspects(database));
        if inspects && begun.elapsed() < PATIENCE {
            return true;
        }
        if inspects && let Some(uninspected) = &mut self.uninspected {
            uninspected.push_back(database);
        }
        self.inspection = None;
        false
    }

    /// Starts a notifier, unless one is starting or has just ended; returns `false` if no worker is
    /// free.
    fn start(&mut self, database: u32) -> bool {
        let past = self.notifiers.get(&database);
        if past.is_some_and(|past| past.process.is_alive() || past.started.elapsed() < past.pause) {
            return true;
        }
        let pause = match past {
            Some(past) if processes::never_began(processes::Kind::Notifier, database, 0) => {
                (past.pause * 2).min(LONGEST_PAUSE)
            }
            _ => INTERVAL,
        };
        match worker::start(&NOTIFIER, database) {
            Some(process) => {
                self.notifiers_retry.succeeded();
                let started = Instant::now();
                let past = LastStart {
                    process,
                    started,
                    pause,
                };
                self.notifiers.insert(database, past);
                true
            }
            None => {
                self.notifiers_retry.failed(&no_free_worker());
                false
            }
        }
    }

    /// Waits until this process is woken, or for `at_most`. Ends the process if it was told to end.
    fn wait(&self, at_most: Duration) {
        if !self.worker.wait(at_most) {
            self.worker.end_for_now();
        }
        launcher_latch::publish_settings();
    }
}
