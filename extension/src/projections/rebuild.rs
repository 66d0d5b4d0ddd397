//! A rebuild into shadow tables: a projection of its own, in `eventcore.projections`, that hands all events to the
//! handler of another one, the original, with tables of the same names in a schema of its own first on
//! `search_path`. When it has caught up, its rows take the place of the original's.
//!
//! What may happen at the same time, and why that does no harm:
//!
//! - *A batch of the original.* It goes on until the last transaction of the rebuild, which has the lock of the original,
//!   then that of the rebuild; whoever takes both takes them in this order. That transaction projects the events that are
//!   left and replaces the rows, so that the checkpoint that it leaves is that of the rows. It waits for the
//!   original's lock for [`PATIENCE`] and with nothing in hand, and then tries again: a worker never hangs on a
//!   session that keeps the lock.
//! - *Pausing, resuming, dropping* either of them, another rebuild: they wait for the lock of what they are called for, and look at its
//!   row after that. Who waited for a rebuild that has taken its place meanwhile finds none (SE007). Dropping the original
//!   takes the rebuild along, under both locks.
//! - *A kill*, an error, a lost server: each step is one transaction. Before the first commits there is no schema, and
//!   `reset_pending` says so; after the last there is none any more, and no row of the rebuild.
//! - *Readers* of the original's tables see them as they were before that last transaction or as they are after it: its
//!   rows are deleted and inserted, neither truncated nor put into another file, which snapshots do not go by.
//! - *Others who write* the original's tables wait for that transaction, or it for them.

use super::batch::{self, Claim, FailureContext, Outcome};
use super::definition;
use super::record;
use crate::error::Error;
use crate::locks;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::transaction;
use crate::pg::value::Text;

/// How long the rebuild waits for the original's lock, in milliseconds.
const PATIENCE: i32 = 200;

/// The last transaction: projects what is left and takes the original's place.
pub fn finish(name: &str, original: &str, context: &FailureContext) -> Result<Outcome, Error> {
    context.waits.set(true);
    locks::lock_projection_within(original.as_bytes(), PATIENCE);
    context.waits.set(false);
    let name = Text::copy(name.as_bytes()).keep();
    let (definition, progress) = match batch::claim(name, context)? {
        Claim::Claimed(definition, progress) => (definition, progress),
        Claim::NotNow(outcome) => return Ok(outcome),
    };
    let found = definition::load(Text::copy(original.as_bytes()).keep())?;
    let live = found.filter(|(live, _)| live.owner == definition.owner && !live.inline);
    let Some((_, live)) = live else {
        return Err(Error::UnknownProjection(original.to_owned()));
    };
    let read = batch::read_batch(&definition, &progress)?;
    let to_end = read.as_ref().is_none_or(|read| read.to_end);
    let up_to = read.as_ref().map_or(progress.checkpoint, |read| read.up_to);
    let takes_place = to_end && up_to >= live.checkpoint;
    if read.is_none() && !takes_place {
        return Ok(Outcome::Nothing);
    }
    let fresh = ActiveSnapshot::push();
    if let Some(read) = read {
        batch::project(&definition, name, read, context)?;
    }
    if takes_place {
        // No event is to blame for what fails from here on.
        context.events.set(None);
        record::take_place(name)?;
        transaction::end_command();
    }
    drop(fresh);
    Ok(Outcome::Advanced)
}
