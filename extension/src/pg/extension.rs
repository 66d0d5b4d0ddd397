//! The row of an extension in the catalog of this database.

use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::CStr;

/// The version of the objects that an extension has in this database; `None` if it is not
/// installed. To be called in a transaction.
pub fn version(extension: &CStr) -> Option<String> {
    let mut found = None;
    // SAFETY: a scan of a system catalog with a snapshot of its own. The arrays have room for all
    // columns; the name and the version are never NULL, and the version is copied before the scan
    // ends.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let table = pg_sys::table_open(pg_sys::ExtensionRelationId, lock);
        let columns = (*table).rd_att;
        let count = usize::try_from((*columns).natts).unwrap_or(0);
        let (mut values, mut nulls) = (vec![Datum::null(); count], vec![true; count]);
        let (no_snapshot, no_keys) = (std::ptr::null_mut(), std::ptr::null_mut());
        let scan = pg_sys::systable_beginscan(table, Oid::INVALID, false, no_snapshot, 0, no_keys);
        loop {
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(row, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            let name = values[pg_sys::Anum_pg_extension_extname as usize - 1];
            if CStr::from_ptr(name.cast_mut_ptr()) == extension {
                let version = values[pg_sys::Anum_pg_extension_extversion as usize - 1];
                let text = pg_sys::text_to_cstring(version.cast_mut_ptr());
                found = Some(CStr::from_ptr(text).to_string_lossy().into_owned());
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, lock);
    }
    found
}
