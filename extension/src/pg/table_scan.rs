//! All rows of a small table, in no order.

use super::relation::Relation;
use super::snapshot::Snapshot;
use super::value::Text;
use pgrx::pg_sys::{self, Datum};

/// The columns of a row. They are numbered from 1.
pub struct TableRow<'s> {
    values: &'s [Datum],
    nulls: &'s [bool],
}

impl TableRow<'_> {
    fn datum(&self, column: i16) -> Option<Datum> {
        let index = usize::try_from(column).ok()?.checked_sub(1)?;
        (!*self.nulls.get(index)?).then(|| self.values[index])
    }

    /// A column of type bigint, 0 for NULL.
    pub fn bigint(&self, column: i16) -> i64 {
        self.datum(column).map_or(0, |datum| datum.value() as i64)
    }

    /// A column of type oid, 0 for NULL.
    pub fn oid(&self, column: i16) -> u32 {
        self.datum(column).map_or(0, |datum| datum.value() as u32)
    }

    /// Whether a column of type text has this value.
    pub fn text_is(&self, column: i16, wanted: &[u8]) -> bool {
        // SAFETY: the column is a text, and the row holds still.
        let text = self.datum(column).map(|datum| unsafe { Text::new(datum) });
        text.is_some_and(|text| text.bytes() == wanted)
    }
}

/// Calls `look` with each row that the snapshot sees.
pub fn for_each_row(table: &Relation, snapshot: &Snapshot, mut look: impl FnMut(TableRow<'_>)) {
    let (no_keys, forward) = (
        std::ptr::null_mut(),
        pg_sys::ScanDirection::ForwardScanDirection,
    );
    // SAFETY: the table is open; the scan is ended before it is closed, by the server after an
    // error. The arrays have room for all columns.
    unsafe {
        let columns = (*table.raw()).rd_att;
        let count = usize::try_from((*columns).natts).unwrap_or(0);
        let (mut values, mut nulls) = (vec![Datum::null(); count], vec![true; count]);
        let scan = pg_sys::table_beginscan(table.raw(), snapshot.raw(), 0, no_keys);
        loop {
            pgrx::check_for_interrupts!();
            let row = pg_sys::heap_getnext(scan, forward);
            if row.is_null() {
                break;
            }
            pg_sys::heap_deform_tuple(row, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            look(TableRow {
                values: &values,
                nulls: &nulls,
            });
        }
        pg_sys::table_endscan(scan);
    }
}
