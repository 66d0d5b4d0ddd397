//! What a worker does next for a projection: replay a parked event, reset the projection, or
//! process a batch.

use super::batch::{self, Claim, FailureContext, Outcome};
use super::definition::{self, Definition};
use super::roster::Entry;
use super::{record, replay, shadow};
use crate::error::Error;
use crate::pg::session::as_statement;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::processes::batches;
use crate::registry::wake::Wake;
use crate::tables::Catalog;

/// Advances a projection by one step, in the current transaction.
pub fn run(
    entry: &mut Entry,
    context: &FailureContext,
    catalog: &Catalog,
    wake: &Wake,
) -> Result<Outcome, Error> {
    if !catalog.is_current() {
        return Ok(Outcome::Gone);
    }
    let name = Text::copy(entry.definition.name.as_bytes()).keep();
    let (definition, progress) = match batch::claim(name, context)? {
        Claim::Claimed(definition, progress) => (definition, progress),
        Claim::NotNow(outcome) => return Ok(outcome),
    };
    if progress.reset_pending && definition.rebuild.is_some() {
        shadow::begin(name)?;
        return Ok(Outcome::Advanced);
    }
    if let Some(position) = definition::next_replay(name)? {
        replay::run(&definition, name, position, context)?;
        return Ok(Outcome::Advanced);
    }
    let checkpoint = progress.checkpoint;
    let events = catalog.objects.events;
    let passed = entry.known_of(&definition, events, checkpoint);
    let after = passed.map_or(checkpoint, |passed| passed.up_to);
    let read = batch::read_batch(&definition, &progress, after)?;
    let to_end = read.as_ref().is_none_or(|read| read.to_end);
    match (read, &definition.rebuild) {
        (_, Some(rebuild)) if to_end => Ok(Outcome::CaughtUp(rebuild.original.clone())),
        (None, _) => Ok(Outcome::Nothing),
        (Some(read), _) => {
            if read.events.is_empty()
                && read.to_end
                && progress.is_clean()
                && !entry.writes_alone
                && !entry.is_wanted(checkpoint, wake)
            {
                entry.rest(*definition, events, checkpoint, read.up_to);
                return Ok(Outcome::PassedOver);
            }
            let fresh = ActiveSnapshot::push();
            if progress.reset_pending {
                reset(&definition, name, context)?;
            }
            batch::project(&definition, name, read, context)?;
            drop(fresh);
            Ok(Outcome::Advanced)
        }
    }
}

/// Empties the tables of the projection, and calls its reset function.
fn reset(definition: &Definition, name: Text<'_>, context: &FailureContext) -> Result<(), Error> {
    context.resets.set(true);
    batches::begin(&definition.name, context.checkpoint.get(), None, None);
    as_statement(|| record::reset(name))?;
    if let Some(function) = &definition.reset {
        let mut function = definition.open(function, &[])?;
        as_statement(|| function.perform());
    }
    transaction::end_command();
    Ok(())
}
