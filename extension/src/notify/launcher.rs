//! The launcher: one background worker for the server, which starts a notifier for every database
//! that needs one and has none.
//!
//! When the server has started it lets a notifier look into every database, so that listeners and
//! standbys hear of what was appended before; into those for which there is no worker it does so later. After that an
//! append wakes it that finds no notifier.

use crate::pg::databases;
use crate::pg::worker::{self, Kind, Worker, WorkerHandle};
use crate::processes::retry::{Retry, no_free_worker};
use crate::processes::{self, launcher_latch};
use crate::registry;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const KIND: Kind = Kind {
    name: "eventcore launcher",
    function: "eventcore_launcher_main",
};
const NOTIFIER: Kind = Kind {
    name: "eventcore notifier",
    function: "eventcore_notifier_main",
};

/// How often the launcher looks for itself, and how soon it starts again what has died.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long it waits at most for a notifier to look into a database.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest time between two notifiers of a database whose notifiers end at once.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Has the server start the launcher, while the server is starting.
pub fn register() {
    if worker::may_work() {
        worker::register(&KIND, INTERVAL);
    }
}

/// The launcher's process, from its start to its end.
pub fn run() -> ! {
    processes::begin(processes::Kind::Launcher, 0, 0);
    let worker = Worker::connect_to_no_database();
    processes::is_at_work();
    launcher_latch::become_launcher();
    launcher_latch::publish_settings();
    let mut launcher = Launcher {
        worker,
        uninspected: None,
        notifiers: HashMap::new(),
        databases_retry: Retry::new("the launcher cannot list the databases"),
        notifiers_retry: Retry::new(
            "a database has no notifier, and subscribers there find new events only when they poll",
        ),
    };
    loop {
        launcher.check();
        launcher.wait(INTERVAL);
    }
}

struct Launcher {
    worker: Worker,
    /// The databases into which no notifier has looked since the server started; `None` until they are listed.
    uninspected: Option<Vec<u32>>,
    /// The notifiers that this launcher has started, by their databases.
    notifiers: HashMap<u32, LastStart>,
    databases_retry: Retry,
    notifiers_retry: Retry,
}

/// What is remembered of a database's notifiers.
struct LastStart {
    process: WorkerHandle,
    started: Instant,
    /// How long after that the next one is started at the earliest.
    pause: Duration,
}

impl Launcher {
    /// Starts the notifiers that are lacking.
    fn check(&mut self) {
        let lacking = registry::databases_without_notifier();
        let nothing_to_do =
            lacking.is_empty() && self.uninspected.as_ref().is_some_and(Vec::is_empty);
        if nothing_to_do || self.databases_retry.remaining().is_some() {
            return;
        }
        // One that takes no connections would only end its notifiers, with a line in the log for each.
        let connectable = match self.worker.attempt(|| Ok(databases::connectable())) {
            Ok(found) => found,
            Err(error) => {
                self.databases_retry.failed(&error);
                return;
            }
        };
        self.databases_retry.succeeded();
        for database in lacking {
            // While workers are short it does not ask at once when one becomes free, as the server tells it: projections
            // of databases that have a notifier ask once a second.
            if connectable.contains(&database) && self.notifiers_retry.remaining().is_none() {
                self.start(database);
            }
        }
        let uninspected = self
            .uninspected
            .take()
            .unwrap_or_else(|| connectable.clone());
        let mut left = Vec::new();
        for database in uninspected {
            // One at a time, for the others need places as well.
            if connectable.contains(&database) && !self.inspect(database) {
                left.push(database);
            }
        }
        self.uninspected = Some(left);
    }

    /// Has a notifier look into a database; `false` if there is no place for one, or it does not come to its end.
    fn inspect(&mut self, database: u32) -> bool {
        if self.notifiers_retry.remaining().is_some() || !self.start(database) {
            return false;
        }
        let begun = Instant::now();
        while self.is_inspecting(database) {
            if begun.elapsed() > PATIENCE {
                return false;
            }
            self.wait(Duration::from_millis(100));
        }
        true
    }

    /// Starts a notifier, unless one is on its way or has ended just now; `false` if there is no place for it.
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

    /// Whether a notifier has been started there, and has neither found its place nor left.
    fn is_inspecting(&self, database: u32) -> bool {
        let past = self.notifiers.get(&database);
        past.is_some_and(|past| past.process.is_alive()) && !registry::has_notifier(database)
    }

    /// Waits until it is told something, or for `at_most`; ends the process if it has been told to.
    fn wait(&self, at_most: Duration) {
        if !self.worker.wait(at_most) {
            self.worker.end_for_now();
        }
        launcher_latch::publish_settings();
    }
}
