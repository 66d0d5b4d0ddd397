//! Rows that come into `eventcore.events` by SQL, with positions of their own: from a restore, or from
//! logical replication. A trigger tells the registry of them, so that readers see them in order too.

use crate::catalog::{Events, column};
use crate::error::Malformed;
use crate::pg::function::{Call, Returned};
use crate::pg::relation::Use;
use crate::registry::Registry;

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
