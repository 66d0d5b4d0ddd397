//! The launcher: one background worker for the server, which starts a notifier for every database
//! that needs one and has none.
//!
//! When the server has started it lets a notifier look into every database, so that listeners and
//! standbys hear of what was appended before. After that an append wakes it that finds no notifier.

use crate::pg::session::is_read_only_by_default;
use crate::pg::shared_memory::{Shared, SharedArray, my_process_number, wake_process};
use crate::pg::worker::{self, Kind, Started, Worker};
use crate::pg::{databases, transaction};
use crate::registry;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
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

/// How often it complains that there is no place for another worker.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

static PROCESS: SharedArray<Process> = SharedArray::new(c"eventcore launcher");

struct Process {
    /// Where to find the launcher: its process number plus one, 0 while there is none.
    number: AtomicU32,
    /// What the configuration of the server says of `default_transaction_read_only`. The launcher knows, for no
    /// settings of a database or a role hold for it.
    frozen: AtomicBool,
}

impl Shared for Process {
    fn fresh() -> Self {
        Self {
            number: AtomicU32::new(0),
            frozen: AtomicBool::new(false),
        }
    }
}

pub fn request_shared_memory() {
    PROCESS.request(1);
}

pub fn attach_shared_memory() {
    PROCESS.attach(1);
}

/// Has the server start the launcher, while the server is starting.
pub fn register() {
    if worker::may_work() {
        worker::register(&KIND, INTERVAL);
    }
}

/// Whether transactions are read-only by default in this server, as far as its configuration says.
pub fn is_server_frozen() -> bool {
    PROCESS
        .get()
        .first()
        .is_some_and(|process| process.frozen.load(SeqCst))
}

/// Tells the launcher that a database lacks a notifier. Cannot fail.
pub fn wake() {
    let process = PROCESS
        .get()
        .first()
        .and_then(|found| found.number.load(SeqCst).checked_sub(1));
    if let Some(process) = process {
        wake_process(process as usize);
    }
}

/// The launcher's process, from its start to its end.
pub fn run() -> ! {
    let worker = Worker::connect_to_no_database();
    worker::at_exit(|| set_process(0));
    set_process(u32::try_from(my_process_number()).map_or(0, |number| number + 1));

    publish_settings();
    let mut notifiers = Notifiers::default();
    for database in worker.transaction(databases::connectable) {
        notifiers.start(database);
        let begun = Instant::now();
        while notifiers.is_looking(database) && begun.elapsed() < PATIENCE {
            if !worker.wait(Duration::from_millis(100)) {
                worker.end_for_now();
            }
            publish_settings();
        }
    }
    loop {
        for database in registry::databases_without_notifier() {
            notifiers.start(database);
        }
        if !worker.wait(INTERVAL) {
            worker.end_for_now();
        }
        publish_settings();
    }
}

/// To be called whenever the configuration may have been read again.
fn publish_settings() {
    if let Some(process) = PROCESS.get().first() {
        process.frozen.store(is_read_only_by_default(), SeqCst);
    }
}

fn set_process(number: u32) {
    if let Some(process) = PROCESS.get().first() {
        process.number.store(number, SeqCst);
    }
}

/// The notifiers that this launcher has started.
#[derive(Default)]
struct Notifiers {
    started: HashMap<u32, (Started, Instant)>,
    complained_at: Option<Instant>,
}

impl Notifiers {
    /// Starts a notifier, unless one is on its way or has died just now.
    fn start(&mut self, database: u32) {
        if let Some((started, at)) = self.started.get(&database)
            && (started.is_alive() || at.elapsed() < INTERVAL)
        {
            return;
        }
        match worker::start(&NOTIFIER, database) {
            Some(started) => {
                self.started.insert(database, (started, Instant::now()));
            }
            None => self.complain(),
        }
    }

    /// Whether a notifier has been started there, and has neither found its place nor left.
    fn is_looking(&self, database: u32) -> bool {
        let alive = self
            .started
            .get(&database)
            .is_some_and(|(started, _)| started.is_alive());
        alive && !registry::has_notifier(database)
    }

    fn complain(&mut self) {
        if self
            .complained_at
            .is_none_or(|at| at.elapsed() > COMPLAIN_EVERY)
        {
            self.complained_at = Some(Instant::now());
            transaction::log(
                "eventcore: no background worker is free for a notifier, so subscribers find new \
                 events only when they poll; raise max_worker_processes",
            );
        }
    }
}
