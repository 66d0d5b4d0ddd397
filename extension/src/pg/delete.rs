//! Deleting rows of a table beneath SQL, without waiting for anybody.

use super::ffi::guarded;
use super::raw;
use super::relation::Relation;
use super::scan::Row;
use pgrx::pg_sys;

/// Deletes a row that a scan has found, if nobody else has changed or locked it; whether it did.
pub fn delete_at_once(table: &Relation, row: &Row<'_>) -> bool {
    let table = table.raw();
    let mut place = row.place();
    let mut failure = pg_sys::TM_FailureData::default();
    let crosscheck = std::ptr::null_mut();
    let (wait, to_other_partition) = (false, false);
    // SAFETY: the table is open for writing; the snapshot of the scan sees the row and keeps it from being
    // vacuumed away.
    let result = unsafe {
        guarded(|| {
            let command = raw::GetCurrentCommandId(true);
            raw::heap_delete(
                table,
                &raw mut place,
                command,
                crosscheck,
                wait,
                &raw mut failure,
                to_other_partition,
            )
        })
    };
    result == pg_sys::TM_Result::TM_Ok
}
