//! A rebuild into shadow tables: a projection of its own, in `eventcore.projections`, that hands
//! all events to the handler of another one, the original. Tables of the same names, in a schema of
//! its own, are first on `search_path`. When the rebuild has caught up, its rows replace those of
//! the original.
//!
//! What may happen at the same time, and why it does no harm:
//!
//! - *A batch of the original.* The original continues until the last transaction of the rebuild.
//!   That transaction holds the lock of the original and then that of the rebuild; all transactions
//!   that take both take them in this order. It projects the remaining events and replaces the
//!   rows, so the checkpoint that it writes matches the rows. It waits for the lock of the original
//!   for [`PATIENCE`] while it holds nothing else, and then tries again. So a worker never hangs on
//!   a session that holds the lock.
//! - *Pausing, resuming or dropping* either of them, or another rebuild. These wait for the lock of
//!   their projection and read its row after that. If the rebuild has finished meanwhile, they find
//!   no row (SE007). Dropping the original also drops the rebuild, under both locks.
//! - *A kill*, an error, or a lost server. Each step is one transaction. Before the first one
//!   commits there is no schema, and `reset_pending` is set. After the last one there is neither a
//!   schema nor a row of the rebuild.
//! - *Readers* of the original's tables see them either before or after that last transaction. Its
//!   rows are deleted and inserted. They are not truncated or moved to another file, because
//!   snapshots would not protect readers from that.
//! - *Other writers* of the original's tables wait for that transaction, or it waits for them.

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

/// The last transaction: projects the remaining events and replaces the original.
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
    let read = batch::read_batch(&definition, &progress, progress.checkpoint)?;
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
        // If something fails from here on, no event is to blame.
        context.events.set(None);
        record::take_place(name)?;
        transaction::end_command();
    }
    drop(fresh);
    Ok(Outcome::Advanced)
}
