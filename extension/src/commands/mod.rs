//! Commands inside the database: `eventcore_execute` runs one from its input to its events.
//!
//! 1. The arguments are read ([`execution`]), the definition is loaded ([`definition`]) and the input
//!    is checked ([`input`]).
//! 2. The streams that the input names are locked ([`locking`]), and only then read and folded
//!    ([`fold`]), in pages ([`page`]). Long streams are continued from a saved state ([`states`]).
//!    Streams that are found in the state are added. While the locks are held, no stream can move, so `handle` never
//!    decides in vain.
//! 3. `handle` decides ([`decide`]), and its events are appended with a check of every stream.
//!
//! With an idempotency key all of this happens once ([`idempotency`]).

mod combine;
mod decide;
mod definition;
mod executed;
mod execution;
mod fold;
mod idempotency;
mod input;
mod locking;
mod page;
mod states;

pub use executed::Executed;
pub use execution::Execution;

use crate::append;
use crate::error::Error;
use crate::guards::reentry::{Context, ContextGuard, refuse_reentry};
use crate::pg::environment::Environment;
use crate::pg::snapshot::is_serializable;
use crate::pg::transaction;
use crate::registry::{Arrivals, Executions, Outcome, Registry};
use crate::tables::Events;
use definition::Definition;
use idempotency::IdempotencyRecord;
use locking::StreamLocking;
use states::SavedStates;
use std::cell::Cell;

/// Executes a command for a caller that is not a function of a command.
pub fn execute<'a>(execution: &Execution<'a>) -> Result<Executed<'a>, Error> {
    refuse_reentry("eventcore_execute")?;
    transaction::require_writable(c"eventcore_execute");
    let _context = ContextGuard::enter(Context::Command);
    // Take the write lock before any other lock. Upgrading from a read lock could deadlock with a
    // concurrent REINDEX.
    let mut events = Events::to_write()?;
    let _counted = Counted {
        counts: Registry::open(&events.catalog)?.executions(),
        outcome: &execution.outcome,
    };
    let executed = execute_once(execution, &mut events);
    execution.outcome.set(outcome(&executed));
    executed
}

fn execute_once<'a>(execution: &Execution<'a>, events: &mut Events) -> Result<Executed<'a>, Error> {
    let Some(key) = execution.idempotency_key else {
        return execute_now(execution, events);
    };
    let record = IdempotencyRecord::lock(execution.command, key)?;
    if let Some(done) = record.find()? {
        // The first execution may still be waiting for its flush.
        transaction::flush_what_is_committed();
        return Ok(done);
    }
    let executed = execute_now(execution, events)?;
    record.save(&executed);
    Ok(executed)
}

fn execute_now<'a>(execution: &Execution<'a>, events: &mut Events) -> Result<Executed<'a>, Error> {
    let (name, input) = (execution.command, execution.input);
    let mut definition = Definition::load(name, events)?;
    input::require_fields(&definition, input)?;
    // If one of its functions fails, the end of the transaction restores the settings.
    let environment = Environment::enter(&definition.settings, "command", &name);
    let named = input::streams(&mut definition, input)?;
    let mut locking = StreamLocking::new(&named)?;
    let states = SavedStates::of(&definition);
    for attempt in 1..=definition.max_attempts {
        let arrivals = Arrivals::so_far();
        if let Some(current) =
            locking.lock_and_fold(events, &mut definition, states.as_ref(), input)?
        {
            let request = decide::decide(&mut definition, execution, &current)?;
            environment.leave();
            // Functions of the command may have made the transaction read-only, or altered the table.
            transaction::require_writable(c"eventcore_append");
            events.check_again()?;
            // The streams are locked, so only rows that SQL inserts can have moved them. A
            // serializable transaction looks again as well, as every append does.
            let stand = arrivals.are_all() && !is_serializable();
            let versions = stand.then(|| current.versions.clone());
            let appended = append::append_to(events, &request, versions)?;
            if let Some(states) = states {
                states.save(&definition, &current.to_save)?;
            }
            return Ok(Executed {
                appended,
                streams: current.names().collect(),
                attempts: attempt,
            });
        }
    }
    Err(Error::TooManyAttempts {
        command: name.to_string(),
        attempts: definition.max_attempts,
    })
}

/// How an execution has ended that returned. A rejection does not: see [`decide`].
fn outcome(executed: &Result<Executed<'_>, Error>) -> Outcome {
    match executed {
        Ok(executed) if executed.appended.repeated => Outcome::Repeated,
        Ok(_) => Outcome::Executed,
        Err(
            Error::VersionConflict(_) | Error::SnapshotTooOld(_) | Error::TooManyAttempts { .. },
        ) => Outcome::Conflicted,
        Err(_) => Outcome::Failed,
    }
}

/// Counts an execution when it ends. Errors of the server and rejections leave as panics, so this is
/// a destructor. It calls nothing of the server.
struct Counted<'e> {
    counts: &'static Executions,
    outcome: &'e Cell<Outcome>,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.counts.count(self.outcome.get());
    }
}
