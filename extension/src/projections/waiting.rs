//! `eventcore_wait_for_projection`: waiting until a projection shows what was appended.

use super::definition;
use crate::error::{Error, Malformed, Unavailable};
use crate::locks::projection_key;
use crate::pg::function::Call;
use crate::pg::relation::Use;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::registry::Registry;
use crate::tables::heads;
use crate::tables::{Catalog, Events};
use crate::wait::patience;
use crate::wait::standby;

/// `eventcore_wait_for_projection(name, to_position, timeout)`: returns the checkpoint of the
/// projection when it has reached the position, or when the timeout is over.
pub fn wait(call: &Call<'_>) -> Result<i64, Error> {
    let name = call
        .text(0)
        .ok_or_else(|| Malformed::argument("name", "is NULL"))?
        .to_string();
    let patience = patience(call, 2)?;
    let position = match call.bigint(1) {
        Some(position) if position < 0 => {
            return Err(Malformed::argument("to_position", "is negative").into());
        }
        Some(position) => position,
        None => heads::last_position(&Events::open(Use::Read)?),
    };
    if call.is_atomic() {
        return Err(Unavailable::TransactionBlock {
            what: "eventcore_wait_for_projection",
        }
        .into());
    }
    let wake = Registry::open(&Catalog::load()?)?.wake();
    let key = projection_key(name.as_bytes());
    let mut found = Ok(0);
    wake.projected.wait_until(patience, standby::watch(), || {
        standby::watch();
        found = checkpoint_of(&name, position);
        if found
            .as_ref()
            .is_ok_and(|checkpoint| *checkpoint < position)
        {
            wake.want_checkpoint(key, position);
        }
        // While it waits it holds no snapshot and no lock.
        transaction::commit_and_begin();
        found
            .as_ref()
            .map_or(true, |checkpoint| *checkpoint >= position)
    });
    found
}

/// How far the projection is.
///
/// SE007 if there is none. SE009 if it has failed and has not reached the position.
fn checkpoint_of(name: &str, position: i64) -> Result<i64, Error> {
    let found = definition::load(Text::copy(name.as_bytes()).keep())?;
    let (definition, progress) = found.ok_or_else(|| Error::UnknownProjection(name.to_owned()))?;
    if definition.inline {
        // The handler has already run for everything that is committed.
        return Ok(position);
    }
    // What it shows is still what it showed before the rebuild.
    let checkpoint = match progress.reset_pending {
        true => progress.checkpoint.min(position - 1),
        false => progress.checkpoint,
    };
    if progress.failed && checkpoint < position {
        let error = progress.last_error.unwrap_or_default();
        return Err(Unavailable::ProjectionFailed {
            projection: name.to_owned(),
            error,
        }
        .into());
    }
    Ok(checkpoint)
}
