//! The rows that a function returns. The server keeps them, on disk if there are many.

use pgrx::pg_sys::{self, Datum};

/// Rows that are being collected.
pub struct RowSet {
    store: *mut pg_sys::Tuplestorestate,
    columns: pg_sys::TupleDesc,
}

impl RowSet {
    /// # Safety
    ///
    /// Both live until the function returns.
    pub unsafe fn new(store: *mut pg_sys::Tuplestorestate, columns: pg_sys::TupleDesc) -> Self {
        Self { store, columns }
    }

    /// Adds a row. The values are copied.
    pub fn push<const N: usize>(&mut self, mut values: [Datum; N], mut nulls: [bool; N]) {
        // SAFETY: as many values as the declaration has columns.
        unsafe {
            assert_eq!(usize::try_from((*self.columns).natts), Ok(N));
            pg_sys::tuplestore_putvalues(
                self.store,
                self.columns,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}
