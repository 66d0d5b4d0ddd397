//! A worker: logged in as a role, it runs the projections of that role until there are none, until
//! other owners need its place, or until the notifier that started it is gone.

use super::batch::{FailureContext, Outcome};
use super::record::{self, Failure};
use super::roster::{Entry, Roster};
use super::writing::{self, Writings};
use super::{definition, look, next_step, rebuild};
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
    let mut roster = Roster::default();
    loop {
        session.reload_settings();
        let wake = worker_context.registry.wake();
        let (seen, changes) = (Seen::now(&worker_context.registry), wake.changes());
        if roster.is_outdated(changes) {
            let refresh = || roster.refresh(session.role(), &worker_context.catalog, changes);
            if session.attempt(refresh).is_err() || roster.entries.is_empty() {
                process::end();
            }
        }
        let mut rest = Some(INTERVAL);
        if roster.is_to_look(seen.safe, wake) && look_once(&session, &worker_context, &mut roster) {
            rest = None;
        }
        write_checkpoints(&session, &worker_context, &mut roster);
        for place in 0..roster.entries.len() {
            if roster.entries[place].rests {
                continue;
            }
            let step = step(&session, &worker_context, &mut roster.entries[place]);
            if step.is_outdated {
                roster.outdate();
            }
            rest = rest.min(step.wait);
            if worker_context.is_to_leave() {
                process::end();
            }
            if begun.elapsed() > SLICE && worker_context.is_crowded() {
                write_checkpoints(&session, &worker_context, &mut roster);
                process::end();
            }
        }
        if let Some(rest) = rest {
            session.report_idle();
            if worker_context.is_crowded() {
                write_checkpoints(&session, &worker_context, &mut roster);
                process::end();
            }
            worker_context.wait(rest, seen, changes, &roster);
        }
        if worker_context.is_to_leave() {
            process::end();
        }
    }
}

/// Looks at new events for the projections that rest. Returns whether there is more to look at.
fn look_once(session: &Session, worker_context: &WorkerContext, roster: &mut Roster) -> bool {
    session.report("new events");
    let begun = Instant::now();
    match session.attempt(|| look::run(roster, &worker_context.catalog)) {
        Ok(Some(found)) => found.record(roster),
        // The step of each projection records what is wrong.
        failed => {
            if let Err(error) = failed {
                log_once_a_minute(&format!(
                    "eventcore: a worker could not look at new events for all of its projections, so each of them does: {}: {}",
                    error.sqlstate, error.message
                ));
            }
            roster.looked(begun, true);
            roster.wake_all();
            false
        }
    }
}

/// Writes the checkpoints that are due. A projection whose checkpoint cannot be written with those of
/// the others takes a step after that.
fn write_checkpoints(session: &Session, worker_context: &WorkerContext, roster: &mut Roster) {
    let wake = worker_context.registry.wake();
    let catalog = &worker_context.catalog;
    let due = writing::due(roster, wake);
    for places in due.chunks(writing::MAX_AT_ONCE) {
        session.report("checkpoints");
        let written = session.attempt(|| writing::run(roster, places, catalog, wake));
        let written = written.unwrap_or_else(|error| {
            log_once_a_minute(&format!(
                "eventcore: a worker could not write the checkpoints of its projections together, so each is written by itself: {}: {}{}",
                error.sqlstate, error.message, missing_grant(&error, roster)
            ));
            Writings::all_alone(places)
        });
        written.record(roster);
    }
    if !due.is_empty() {
        wake.projected.wake_all();
    }
}

/// What helps an owner with single grants, which do not include a function that a later release has
/// added.
fn missing_grant(error: &ErrorSummary, roster: &Roster) -> String {
    if error.sqlstate != "42501" || !error.message.contains("projections_passed") {
        return String::new();
    }
    let first = roster.entries.first();
    let first = first.map_or("", |entry| &entry.definition.name);
    format!(
        "; grant eventcore_projector to the owner of projection \"{first}\", or \
         GRANT EXECUTE ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[])"
    )
}

/// What follows from a step of a projection.
struct Step {
    /// How long to wait; `None` if there may be more to do at once.
    wait: Option<Duration>,
    /// Whether the projection is another one than the worker knows.
    is_outdated: bool,
}

/// Advances a projection by one batch.
fn step(session: &Session, worker_context: &WorkerContext, entry: &mut Entry) -> Step {
    let name = entry.definition.name.clone();
    session.report(&format!("projection {name}"));
    let context = FailureContext::default();
    let wake = worker_context.registry.wake();
    let done =
        match session.attempt(|| next_step::run(entry, &context, &worker_context.catalog, wake)) {
            Ok(Outcome::CaughtUp(original)) => {
                session.attempt(|| rebuild::finish(&name, &original, &context))
            }
            done => done,
        };
    if done.is_err() {
        entry.forget();
    }
    entry.is_prompt = matches!(done, Ok(Outcome::Nothing | Outcome::Advanced));
    if matches!(done, Ok(Outcome::Advanced)) {
        entry.writes_alone = false;
    }
    let is_outdated = match done {
        Ok(Outcome::Gone) => true,
        Ok(Outcome::PassedOver) => !entry.rests,
        _ => false,
    };
    let wait = settle(session, worker_context, &name, &context, done);
    Step {
        wait: wait.filter(|_| !is_outdated),
        is_outdated,
    }
}

/// Completes a step. Returns how long to wait then; `None` if there may be more to do at once.
fn settle(
    session: &Session,
    worker_context: &WorkerContext,
    name: &str,
    context: &FailureContext,
    done: Result<Outcome, ErrorSummary>,
) -> Option<Duration> {
    let wake = worker_context.registry.wake();
    batches::done();
    if context.events.get().is_some() || context.resets.get() {
        session.discard();
    }
    match done {
        Ok(Outcome::CaughtUp(_)) => None,
        Err(_) if context.waits.get() => Some(ASK_AGAIN),
        Ok(Outcome::Nothing | Outcome::Held | Outcome::Gone | Outcome::PassedOver) => {
            Some(INTERVAL)
        }
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

/// What may be read, as it was before the worker looked.
#[derive(Clone, Copy, PartialEq)]
struct Seen {
    /// The safe position in memory.
    safe: Option<i64>,
    /// The last one that readers were told. It is lower while a synchronous standby has not confirmed
    /// all events: then a look finds less than the safe position in memory promises, and only this
    /// moves when the standby confirms them.
    told: i64,
}

impl Seen {
    fn now(registry: &Registry) -> Self {
        Self {
            safe: registry.safe_in_memory(),
            told: registry.told(),
        }
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

    /// Waits until there are new events, a standby has confirmed some, a projection has changed, a
    /// session waits for a checkpoint that was not written, or checkpoints are due. New events wait for
    /// a moment if all projections rest, so that one look finds several.
    fn wait(&self, at_most: Duration, seen: Seen, changes: i64, roster: &Roster) {
        let wake = self.registry.wake();
        let at_most = roster.next_write().map_or(at_most, |due| due.min(at_most));
        let safe = || self.registry.safe_in_memory();
        let is_called = || {
            wake.changes() != changes
                || roster.is_wanted(safe(), wake)
                || wake.is_crowded()
                || self.is_to_leave()
        };
        let pause = roster.pause().min(at_most);
        if !pause.is_zero() && wake.waiting.wait_until(pause, pause, is_called) {
            return;
        }
        let rest = at_most.saturating_sub(pause);
        wake.waiting.wait_until(rest, INTERVAL, || {
            let now = Seen::now(&self.registry);
            now != seen || roster.is_behind(now.safe) || is_called()
        });
    }
}
