//! Deleting rows of a table beneath SQL.

use super::ffi::guarded;
use super::raw;
use super::relation::Relation;
use super::scan::Row;
use pgrx::pg_sys;

/// Deletes a row that a scan has found, unless another transaction has changed or locked it since.
/// Returns whether it did.
pub fn try_delete(table: &Relation, row: &Row<'_>) -> bool {
    delete(table, row, false)
}

/// Does the same, but waits for transactions that are changing the row or have locked it.
pub fn delete_or_wait(table: &Relation, row: &Row<'_>) -> bool {
    delete(table, row, true)
}

fn delete(table: &Relation, row: &Row<'_>, wait: bool) -> bool {
    let table = table.raw();
    let mut place = row.place();
    let mut failure = pg_sys::TM_FailureData::default();
    let crosscheck = std::ptr::null_mut();
    let to_other_partition = false;
    // SAFETY: the table is open for writing; the snapshot of the scan sees the row and keeps it
    // from being vacuumed away.
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
