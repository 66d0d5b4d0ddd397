//! A worker: logged in as a role, it runs the projections of that role until there are none, until
//! other owners need its place, or until the notifier that started it is gone.

use super::batch::{FailureContext, Outcome};
use super::definition;
use super::passed::PassedOver;
use super::record::{self, Failure};
use super::{next_step, rebuild};
use crate::error::Error;
use crate::pg::catch::ErrorSummary;
use crate::pg::process;
use crate::pg::session::Session;
use crate::pg::value::Text;
use crate::pg::worker;
use crate::processes::freeze::is_frozen;
use crate::processes::log::log_once_a_minute;
use crate::processes::{self, batches};
use crate::registry::Registry;
use crate::settings;
use crate::tables::Catalog;
use pgrx::pg_sys::Oid;
use std::time::{Duration, Instant};

/// How often an idle worker checks without being woken.
const INTERVAL: Duration = Duration::from_secs(10);

/// The shortest time that a worker runs while other owners wait for its place.
const SLICE: Duration = Duration::from_secs(1);

/// How soon a rebuild that did not get the lock tries again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The main function of a worker's process.
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
    let mut passed_over = PassedOver::default();
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
        passed_over.forget_all_but(&names);
        let mut rest = Some(INTERVAL);
        for name in names {
            let again = step(&session, &worker_context, &name, &mut passed_over);
            rest = rest.min(again);
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
            worker_context.wait(rest, seen, announced, &passed_over);
        }
        if worker_context.is_to_leave() {
            process::end();
        }
    }
}

/// The projections that this worker should run.
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

/// Advances a projection by one batch. Returns how long to wait then; `None` if there may be more
/// to do at once.
fn step(
    session: &Session,
    worker_context: &WorkerContext,
    name: &str,
    passed_over: &mut PassedOver,
) -> Option<Duration> {
    session.report(&format!("projection {name}"));
    let context = FailureContext::default();
    let wake = worker_context.registry.wake();
    let done = match session.attempt(|| next_step::run(name, &context, passed_over, wake)) {
        Ok(Outcome::CaughtUp(original)) => {
            session.attempt(|| rebuild::finish(name, &original, &context))
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
        // The notifier starts another worker when the role may write again.
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
                wake.projected.wake_all();
                None
            }
            None => Some(ASK_AGAIN),
        },
        Ok(Outcome::NotBefore(delay)) => Some(delay.max(Duration::from_millis(1))),
        Ok(Outcome::Advanced) => {
            wake.projected.wake_all();
            None
        }
        Err(error) => {
            let failure = Failure {
                checkpoint: context.checkpoint.get(),
                events: context.events.get(),
                replay: context.replay.get(),
                blameless: error.is_full_queue.then_some(true),
                process_ended: false,
            };
            record_failure(session, name, &failure, &error);
            wake.projected.wake_all();
            None
        }
    }
}

/// Records a failure, which decides when the projection is retried or that it stops.
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
                "could not record the failure of projection \"{name}\": {}",
                second.message
            ),
        );
        // The owner has lost the right to record the failure. All that is left is to try again,
        // slowly.
        process::end();
    }
}

/// The database that the worker serves, and the notifier that started it.
struct WorkerContext {
    catalog: Catalog,
    registry: Registry,
    notifier: i32,
}

impl WorkerContext {
    /// `None` if there is no longer a notifier.
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

    /// Whether the worker has to leave the database, or the notifier that started it is gone.
    fn is_to_leave(&self) -> bool {
        let wake = self.registry.wake();
        wake.is_away()
            || wake.notifier_pid() != Some(self.notifier)
            || settings::projection_workers() == 0
    }

    fn is_crowded(&self) -> bool {
        self.registry.wake().is_crowded()
    }

    /// Waits until there are new events, a projection has changed, or a session waits for a
    /// checkpoint that was not written.
    fn wait(&self, at_most: Duration, seen: Option<i64>, announced: i64, passed_over: &PassedOver) {
        let wake = self.registry.wake();
        wake.waiting.wait_until(at_most, INTERVAL, || {
            self.registry.safe_in_memory() != seen
                || wake.announced_work() != announced
                || passed_over.is_wanted(wake)
                || wake.is_crowded()
                || self.is_to_leave()
        });
    }
}
