//! Commands inside the database: `eventcore_execute` runs one from its input to its events.
//!
//! 1. The definition is loaded ([`definition`]) and the input is checked ([`input`]).
//! 2. The streams that the input names are locked ([`locking`]), and only then read and folded
//!    ([`fold`]). Long streams are continued from a saved state ([`states`]). Streams that are
//!    found in the state are added. While the locks are held, no stream can move, so `handle` never
//!    decides in vain.
//! 3. `handle` decides ([`decide`]), and its events are appended with a check of every stream.
//!
//! With an idempotency key all of this happens once ([`idempotency`]).

mod decide;
mod definition;
mod executed;
mod fold;
mod idempotency;
mod input;
mod locking;
mod states;

pub use executed::Executed;

use crate::append;
use crate::error::{Error, Malformed};
use crate::guards::reentry::{Context, ContextGuard, refuse_reentry};
use crate::pg::environment::Environment;
use crate::pg::function::Call;
use crate::pg::transaction;
use crate::pg::value::{Jsonb, Text};
use crate::tables::Events;
use definition::Definition;
use idempotency::IdempotencyRecord;
use locking::StreamLocking;
use states::SavedStates;

/// `eventcore_execute(command, input, correlation_id, causation_id, idempotency_key, metadata)`.
pub fn execute(call: &Call<'_>) -> Result<Executed, Error> {
    transaction::require_writable(c"eventcore_execute");
    let name = call
        .text(0)
        .ok_or_else(|| Malformed::argument("command", "is NULL"))?;
    let input = call
        .jsonb(1)
        .ok_or_else(|| Malformed::argument("input", "is NULL"))?;
    refuse_reentry("eventcore_execute")?;
    let _context = ContextGuard::enter(Context::Command);
    // Take the write lock before any other lock. Upgrading from a read lock could deadlock with a
    // concurrent REINDEX.
    let mut events = Events::to_write()?;
    let Some(key) = call.text(4) else {
        return execute_now(call, &mut events, name, input);
    };
    let record = IdempotencyRecord::lock(name, key)?;
    if let Some(done) = record.find()? {
        // The first execution may still be waiting for its flush.
        transaction::flush_what_is_committed();
        return Ok(done);
    }
    let executed = execute_now(call, &mut events, name, input)?;
    record.save(&executed);
    Ok(executed)
}

fn execute_now<'a>(
    call: &Call<'a>,
    events: &mut Events,
    name: Text<'a>,
    input: Jsonb<'a>,
) -> Result<Executed, Error> {
    let mut definition = Definition::load(name, events)?;
    input::require_fields(&definition, input)?;
    // If one of its functions fails, the end of the transaction restores the settings.
    let environment = Environment::enter(&definition.settings, "command", &name);
    let named = input::streams(&mut definition, input)?;
    let mut locking = StreamLocking::new(&named)?;
    let states = SavedStates::of(&definition);
    for attempt in 1..=definition.max_attempts {
        if let Some(current) =
            locking.lock_and_fold(events, &mut definition, states.as_ref(), input)?
        {
            let request = decide::decide(&mut definition, input, &current, call)?;
            environment.leave();
            // Functions of the command may have made the transaction read-only, or altered the table.
            transaction::require_writable(c"eventcore_append");
            events.check_again()?;
            let appended = append::append_to(events, &request)?;
            if let Some(states) = states {
                states.save(&definition, &current.to_save)?;
            }
            return Ok(Executed {
                appended,
                streams: current.names(),
                attempts: attempt,
            });
        }
    }
    Err(Error::TooManyAttempts {
        command: name.to_string(),
        attempts: definition.max_attempts,
    })
}
