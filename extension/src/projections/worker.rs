//! A worker: logged in as a role, it runs that role's projections until there are none, until others need
//! its worker_context, or until the notifier that started it is gone.

use super::batch::{FailureContext, Outcome};
use super::definition;
use super::record::{self, Failure};
use super::{next_step, rebuild};
use crate::error::Error;
use crate::pg::catch::ErrorSummary;
use crate::pg::process;
use crate::pg::session::Session;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::pg::worker;
use crate::processes::freeze::is_frozen;
use crate::processes::{self, batches};
use crate::registry::Registry;
use crate::settings;
use crate::tables::Catalog;
use pgrx::pg_sys::Oid;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often a worker that has nothing to do looks for itself.
const INTERVAL: Duration = Duration::from_secs(10);

/// How long a worker goes on at least when others wait for its worker_context.
const SLICE: Duration = Duration::from_secs(1);

/// How often the log says the same thing.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// SQLSTATE program_limit_exceeded.
const LIMIT_EXCEEDED: &str = "54000";

/// How soon a rebuild that could not have its turn asks again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The worker's process, from its start to its end.
pub fn run(database: u32) -> ! {
    let role = worker::extra_argument().parse().unwrap_or(0);
    processes::begin(processes::Kind::Projections, database, role);
    let session = Session::log_in(database, role);
    processes::is_at_work();
    batches::watch();
    let begun = Instant::now();
    let Ok(Some(worker_context)) = session.attempt(WorkerContext::find) else {
        process::end()
    };
    if let Ok(all) = session.attempt(definition::all) {
        batches::forget_all_but(|name| all.iter().any(|one| one.name == name));
    }
    loop {
        session.reload_settings();
        let (seen, announced) = (
            worker_context.registry.safe_in_memory(),
            worker_context.registry.wake().announced_work(),
        );
        let Ok(names) = session.attempt(|| mine(session.role(), &worker_context.catalog)) else {
            process::end()
        };
        if names.is_empty() {
            process::end();
        }
        let mut rest = Some(INTERVAL);
        for name in names {
            rest = rest.min(step(&session, &worker_context, &name));
            if worker_context.is_to_leave()
                || (begun.elapsed() > SLICE && worker_context.is_crowded())
            {
                process::end();
            }
        }
        if let Some(rest) = rest {
            session.report_idle();
            if worker_context.is_crowded() {
                process::end();
            }
            worker_context.wait(rest, seen, announced);
        }
        if worker_context.is_to_leave() {
            process::end();
        }
    }
}

/// The projections that this worker is to run.
fn mine(role: Oid, catalog: &Catalog) -> Result<Vec<String>, Error> {
    if !Catalog::load()?.is_same(catalog) {
        return Ok(Vec::new());
    }
    let mine = definition::all()?;
    let mine = mine
        .iter()
        .filter(|one| one.running && !one.inline && one.owner == role.to_u32());
    Ok(mine.map(|one| one.name.clone()).collect())
}

/// Takes a projection a batch further; returns how long to wait then, `None` when there may be more to do at
/// once.
fn step(session: &Session, worker_context: &WorkerContext, name: &str) -> Option<Duration> {
    session.report(&format!("projection {name}"));
    let context = FailureContext::default();
    let ready = |done| {
        context.commits.set(true);
        done
    };
    let done = match session.attempt(|| next_step::run(name, &context).map(ready)) {
        Ok(Outcome::CaughtUp(original)) => {
            context.commits.set(false);
            session.attempt(|| rebuild::finish(name, &original, &context).map(ready))
        }
        done => done,
    };
    batches::done();
    if context.events.get().is_some() || context.resets.get() {
        session.discard();
    }
    match done {
        Ok(Outcome::CaughtUp(_)) => None,
        Err(_) if context.waits.get() => Some(ASK_AGAIN),
        Ok(Outcome::Nothing) => Some(INTERVAL),
        // The notifier starts another one when it is thawed.
        Ok(Outcome::Frozen) => process::end(),
        Ok(Outcome::Abandoned) => match batches::claim(name) {
            Some(left) => {
                let failure = Failure {
                    checkpoint: left.checkpoint,
                    events: left.events,
                    replay: left.replay,
                    blameless: Some(left.blameless),
                    process_ended: true,
                };
                record_failure(session, name, &failure, &left.error);
                left.settled();
                worker_context.registry.wake().projected.wake_all();
                None
            }
            None => Some(ASK_AGAIN),
        },
        Ok(Outcome::NotBefore(delay)) => Some(delay.max(Duration::from_millis(1))),
        Ok(Outcome::Advanced) => {
            worker_context.registry.wake().projected.wake_all();
            None
        }
        Err(error) => {
            let failure = Failure {
                checkpoint: context.checkpoint.get(),
                events: context.events.get(),
                replay: context.replay.get(),
                // At the commit that is the queue of notifications, which another session keeps full.
                blameless: (context.commits.get() && error.sqlstate == LIMIT_EXCEEDED)
                    .then_some(true),
                process_ended: false,
            };
            record_failure(session, name, &failure, &error);
            worker_context.registry.wake().projected.wake_all();
            None
        }
    }
}

/// Writes down what went wrong, and what is to be done about it.
fn record_failure(session: &Session, name: &str, failure: &Failure, error: &ErrorSummary) {
    let what = match (failure.events, failure.replay) {
        (_, Some(position)) => format!("on the parked event at position {position}"),
        (Some((first, last)), None) => format!("at positions {first} to {last}"),
        (None, None) => "before its first event".to_owned(),
    };
    log_once_a_minute(&format!(
        "eventcore: projection \"{name}\" failed {what}: {}: {}",
        error.sqlstate, error.message
    ));
    let written = session.attempt(|| {
        if is_frozen(session.role()) {
            return Ok(());
        }
        let name = Text::copy(name.as_bytes()).keep();
        match failure.replay {
            Some(position) => record::replay_failed(name, position, failure, error),
            None => record::failed(name, failure, error),
        }
    });
    if let Err(second) = written {
        processes::fail(
            &second.sqlstate,
            &format!(
                "the failure of projection \"{name}\" cannot be written down: {}",
                second.message
            ),
        );
        // Its owner has lost the right to write it down: nothing to be done but to try again, slowly.
        process::end();
    }
}

/// Writes a line to the server's log, but the same one only once a minute.
fn log_once_a_minute(line: &str) {
    thread_local! {
        static SAID: RefCell<HashMap<String, Instant>> = RefCell::new(HashMap::new());
    }
    SAID.with_borrow_mut(|said| {
        said.retain(|_, at| at.elapsed() < LOG_EVERY);
        if !said.contains_key(line) {
            transaction::log(line);
            said.insert(line.to_owned(), Instant::now());
        }
    });
}

/// The database that the worker serves, and who started it.
struct WorkerContext {
    catalog: Catalog,
    registry: Registry,
    notifier: i32,
}

impl WorkerContext {
    /// `None` where there is no notifier any more.
    fn find() -> Result<Option<Self>, Error> {
        let catalog = Catalog::load()?;
        let registry = Registry::open(&catalog)?;
        let notifier = registry.wake().notifier_pid();
        Ok(notifier.map(|notifier| Self {
            catalog,
            registry,
            notifier,
        }))
    }

    /// Whether the database is to be left alone, or nobody looks after this worker any more.
    fn is_to_leave(&self) -> bool {
        let wake = self.registry.wake();
        wake.is_away()
            || wake.notifier_pid() != Some(self.notifier)
            || settings::projection_workers() == 0
    }

    fn is_crowded(&self) -> bool {
        self.registry.wake().is_crowded()
    }

    /// Waits until there are new events, or something has changed about the projections.
    fn wait(&self, at_most: Duration, seen: Option<i64>, announced: i64) {
        let wake = self.registry.wake();
        wake.waiting.wait_until(at_most, INTERVAL, || {
            self.registry.safe_in_memory() != seen
                || wake.announced_work() != announced
                || wake.is_crowded()
                || self.is_to_leave()
        });
    }
}
