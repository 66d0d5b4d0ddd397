//! Rows that come into `eventcore.events` by SQL, with positions of their own: from a restore, or from
//! logical replication. A trigger tells the registry of them, so that readers see them in order too. Where a restore has
//! disabled the triggers, the statement that enables them does.

use crate::catalog::{Events, column};
use crate::error::{Error, Malformed};
use crate::heads;
use crate::pg::function::{Call, Returned};
use crate::pg::raise::raise;
use crate::pg::relation::Use;
use crate::pg::transaction;
use crate::registry::Registry;
use pgrx::pg_sys::Oid;

/// The trigger function of `events_before_insert`, for each row; gives the row back.
pub fn before_insert(call: &Call<'_>) -> Returned {
    let row = call.trigger_row().ok_or_else(|| {
        Malformed::argument("eventcore.before_insert()", "is called by its trigger only")
    })?;
    let events = Events::open(Use::Write)?;
    let registry = Registry::open(&events.catalog)?;
    registry.pass(&events, row.bigint(column::POSITION));
    Ok(Some(row.datum()))
}

/// `eventcore.pass_position(up_to)`.
pub fn pass_position(call: &Call<'_>) -> Result<(), Error> {
    let Some(position) = call.bigint(0).filter(|position| *position > 0) else {
        return Ok(());
    };
    transaction::require_writable(c"a change of positions");
    let events = Events::open(Use::Write)?;
    let registry = Registry::open(&events.catalog)?;
    registry.pass(&events, position);
    Ok(())
}

/// After ALTER TABLE … ENABLE TRIGGER: rows may have come that no trigger has seen.
pub fn after_enabling_triggers(table: Oid) {
    if let Err(error) = pass_last(table) {
        raise(&error);
    }
}

fn pass_last(table: Oid) -> Result<(), Error> {
    let events = Events::open(Use::Write)?;
    if events.catalog.events == table {
        let registry = Registry::open(&events.catalog)?;
        registry.pass(&events, heads::last_position(&events));
    }
    Ok(())
}
