//! Projections that run inside the server.
//!
//! - [`definition`]: the registered projections, and a list of the inline ones that each process
//!   caches.
//! - [`pool`]: the workers that the notifier of a database starts, each for one owner of
//!   projections.
//! - [`obstacle`]: what keeps the notifier from starting one.
//! - [`worker`]: a worker runs the projections of its owner, one transaction after the other.
//! - [`roster`]: what the worker knows of its projections.
//! - [`look`]: one look at new events for all projections that none has matched.
//! - [`writing`]: the checkpoints of these, written in one transaction.
//! - [`next_step`]: what the worker does next for any other projection.
//! - [`batch`]: a transaction that hands events to the handler and writes the checkpoint.
//! - [`replay`]: a transaction that hands a parked event to the handler again.
//! - [`record`]: what a worker records of a projection.
//! - [`rebuild`], [`shadow`]: a projection that rebuilds another one in shadow tables, and then
//!   replaces it.
//! - [`inline`]: handlers that run in the transaction of the append.
//! - [`waiting`]: waiting for a projection.
//!
//! A handler never has more rights than the role that it runs as. A worker has logged in as the
//! owner of its projections and serves no other role. An inline handler runs as the role that
//! appends.

mod batch;
mod definition;
pub mod inline;
mod look;
mod next_step;
mod obstacle;
pub mod pool;
mod rebuild;
mod record;
mod replay;
mod roster;
mod shadow;
mod waiting;
mod worker;
mod writing;

pub use waiting::wait;
pub use worker::run;

use crate::error::Error;
use crate::locks;
use crate::pg::function::Call;
use crate::pg::relation::{self, Use};
use crate::pg::value::Text;
use crate::pg::{lock, transaction};
use crate::subscriptions;
use crate::tables::{self, Events};
use pgrx::pg_sys::Oid;

/// `eventcore.lock_events()`.
pub fn lock_events() -> Result<(), Error> {
    relation::lock_as_for_trigger(Events::open(Use::Read)?.catalog.objects.events);
    Ok(())
}

/// `eventcore.lock_projection(name)`.
pub fn lock(call: &Call<'_>) -> Result<(), Error> {
    transaction::require_writable(c"a change of a projection");
    if let Some(name) = call.text(0) {
        definition::require_owner(name)?;
        locks::lock_projection(name.bytes());
    }
    Ok(())
}

/// `eventcore.owner_waits_for(owner)`.
pub fn owner_waits_for(call: &Call<'_>) -> Result<Option<Text<'static>>, Error> {
    let Some(owner) = call.integer(0) else {
        return Ok(None);
    };
    let found = obstacle::find(Oid::from(owner.cast_unsigned()))?;
    Ok(found.map(|reason| Text::copy(reason.as_bytes()).keep()))
}

/// `eventcore.projection_key(name)`.
pub fn key(call: &Call<'_>) -> Option<i64> {
    let name = call.text(0)?;
    Some(locks::projection_key(name.bytes()).cast_signed())
}

/// `eventcore.has_used(relation)`.
pub fn has_used(call: &Call<'_>) -> bool {
    call.integer(0)
        .is_some_and(|table| lock::has_used(Oid::from(table.cast_unsigned())))
}

/// `eventcore.projections_changed()`.
pub fn changed() -> Result<(), Error> {
    let (projections, _) = tables::projections(Use::Read)?;
    relation::announce_change(projections.oid());
    subscriptions::announce_at_end(true)
}

/// `eventcore.delete_projection(name)`.
pub fn delete(call: &Call<'_>) -> Result<(), Error> {
    transaction::require_writable(c"a change of a projection");
    let Some(name) = call.text(0) else {
        return Ok(());
    };
    // Check the owner before taking the lock, which would stop the worker of another role.
    definition::require_owner(name)?;
    locks::lock_projection(name.bytes());
    definition::delete(name)?;
    changed()
}

/// `eventcore.delete_projection_parked(projection, positions)`.
pub fn delete_parked(call: &Call<'_>) -> Result<i64, Error> {
    transaction::require_writable(c"a change of a projection");
    let positions = call.bigint_array(1, "positions")?;
    match call.text(0) {
        Some(name) => definition::delete_parked(name, positions.as_ref()),
        None => Ok(0),
    }
}
