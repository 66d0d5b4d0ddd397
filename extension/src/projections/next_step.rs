//! What a worker does next for a projection: replay a parked event, reset the projection, or
//! process a batch.

use super::batch::{self, Claim, FailureContext, Outcome};
use super::definition::{self, Definition};
use super::{record, replay, shadow};
use crate::error::Error;
use crate::pg::session::as_statement;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::processes::batches;

/// Advances a projection by one step, in the current transaction.
pub fn run(name: &str, context: &FailureContext) -> Result<Outcome, Error> {
    let name = Text::copy(name.as_bytes()).keep();
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
    let read = batch::read_batch(&definition, &progress)?;
    let to_end = read.as_ref().is_none_or(|read| read.to_end);
    match (read, &definition.rebuild) {
        (_, Some(rebuild)) if to_end => Ok(Outcome::CaughtUp(rebuild.original.clone())),
        (None, _) => Ok(Outcome::Nothing),
        (Some(read), _) => {
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
