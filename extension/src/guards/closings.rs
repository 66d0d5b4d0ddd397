//! Rows that SQL inserts into `eventcore.streams`: a trigger announces them to appends, which
//! otherwise do not look at the table as long as it is empty. If a restore has disabled the trigger,
//! the statement that enables it announces them.

use crate::error::Malformed;
use crate::pg::function::{Call, Returned};
use crate::pg::relation::Use;
use crate::registry::announce_closing;
use crate::tables::{Catalog, Events};
use pgrx::pg_sys::Oid;

/// The trigger function of `streams_before_insert`, called for each row. Returns the row.
pub fn before_insert(call: &Call<'_>) -> Returned {
    let streams = Events::open(Use::Read)?.catalog.objects.streams;
    let row = call.trigger_row(streams).ok_or_else(|| {
        Malformed::argument(
            "eventcore.before_close()",
            "can be called only by its trigger on eventcore.streams",
        )
    })?;
    announce_closing();
    Ok(Some(row.datum()))
}

/// Called after ALTER TABLE … ENABLE TRIGGER: SQL may have inserted rows while the trigger was
/// disabled.
pub fn after_enabling_triggers(table: Oid) {
    // Without a catalog nothing is appended, and it is loaded again before anything is.
    if Catalog::load().is_ok_and(|catalog| catalog.objects.streams == table) {
        announce_closing();
    }
}
