//! Writing rows into a table beneath SQL, with all its indexes.
//!
//! This bypasses everything that the executor would do (triggers, constraints, row security). The
//! caller has made sure that the table has none of it.

use super::ffi::guarded;
use super::index_executor::IndexExecutor;
use super::indexes::{Indexes, StoredRow};
use super::memory::ScratchMemory;
use super::raw;
use super::relation::Relation;
use super::unwinding::give_back;
use pgrx::pg_sys::{self, Datum, TupleTableSlot};

/// How many rows the server gets at a time. Measured: 1,000 are slower.
const CHUNK: usize = 200;

/// The columns of a row; `None` is NULL.
pub type Columns<const N: usize> = [Option<Datum>; N];

/// Writes `count` rows, which `make` creates one after the other, and their entries in `indexes`,
/// which are those of the table.
pub fn insert_rows<const N: usize>(
    table: &Relation,
    indexes: &Indexes,
    count: usize,
    make: impl Fn(usize) -> Columns<N>,
) {
    let table = table.raw();
    if count == 1 && indexes.are_plain() {
        return insert_one(table, indexes, make(0));
    }
    let mut rows = Rows::new(table, count.min(CHUNK));
    // It is dropped after the slots, because it contains their rows.
    let memory = ScratchMemory::new();
    let slots = Slots::new(table, count.min(CHUNK));
    let mut first = 0;
    while first < count {
        pgrx::check_for_interrupts!();
        let chunk = CHUNK.min(count - first);
        rows.clear();
        (first..first + chunk).for_each(|number| rows.push(make(number)));
        memory.during(|| slots.insert(table, indexes, &rows));
        first += chunk;
    }
}

/// Writes a row into a table without an index. All transactions see it at once, and it stays when
/// this transaction is rolled back, as the value of a sequence does: the server treats a frozen row
/// like one of a transaction that ended long ago.
pub fn insert_frozen<const N: usize>(table: &Relation, columns: Columns<N>) {
    let table = table.raw();
    let mut rows = Rows::new(table, 1);
    rows.push(columns);
    let (values, nulls) = (rows.values.as_ptr(), rows.nulls.as_ptr());
    // SAFETY: the table is open for writing and the row has all its columns.
    unsafe {
        guarded(|| {
            let tuple = raw::heap_form_tuple((*table).rd_att, values, nulls);
            let command = raw::GetCurrentCommandId(true);
            let frozen = pg_sys::HEAP_INSERT_FROZEN as i32;
            raw::heap_insert(table, tuple, command, frozen, std::ptr::null_mut());
        });
    }
}

/// Writes a single row.
fn insert_one<const N: usize>(table: pg_sys::Relation, indexes: &Indexes, columns: Columns<N>) {
    if width(table) == N {
        let values = columns.map(|column| column.unwrap_or(Datum::null()));
        let nulls = columns.map(|column| column.is_none());
        return insert_values(table, indexes, values.as_ptr(), nulls.as_ptr());
    }
    // Columns have been dropped.
    let mut rows = Rows::new(table, 1);
    rows.push(columns);
    insert_values(table, indexes, rows.values.as_ptr(), rows.nulls.as_ptr());
}

/// Writes the row with these values, of which there are as many as the table has columns.
fn insert_values(
    table: pg_sys::Relation,
    indexes: &Indexes,
    values: *const Datum,
    nulls: *const bool,
) {
    // SAFETY: the table is open for writing and the row has all its columns, of which the server
    // makes a copy with the place of the row.
    unsafe {
        guarded(|| {
            let columns = (*table).rd_att;
            let tuple = raw::heap_form_tuple(columns, values, nulls);
            let command = raw::GetCurrentCommandId(true);
            raw::heap_insert(table, tuple, command, 0, std::ptr::null_mut());
            let place = &raw mut (*tuple).t_self;
            let row = StoredRow {
                values,
                nulls,
                place,
            };
            indexes.insert(table, std::iter::once(row));
        });
    }
}

/// How many columns the table has, with those that have been dropped.
fn width(table: pg_sys::Relation) -> usize {
    // SAFETY: the table is open.
    usize::try_from(unsafe { (*(*table).rd_att).natts }).unwrap_or(0)
}

/// Rows in the form that the server takes.
struct Rows {
    /// How many columns the table has.
    width: usize,
    values: Vec<Datum>,
    nulls: Vec<bool>,
}

impl Rows {
    fn new(table: pg_sys::Relation, count: usize) -> Self {
        let width = width(table);
        Self {
            width,
            values: Vec::with_capacity(width * count),
            nulls: Vec::with_capacity(width * count),
        }
    }

    fn push<const N: usize>(&mut self, columns: Columns<N>) {
        let width = self.width;
        assert!(width >= N, "{N} columns for a table of {width}");
        // Columns behind those of the extension have been dropped.
        let columns = columns.into_iter().chain(std::iter::repeat(None));
        for column in columns.take(width) {
            self.values.push(column.unwrap_or(Datum::null()));
            self.nulls.push(column.is_none());
        }
    }

    fn clear(&mut self) {
        self.values.clear();
        self.nulls.clear();
    }

    fn iter(&self) -> impl Iterator<Item = (*const Datum, *const bool)> + Clone {
        let values = self.values.chunks_exact(self.width).map(<[_]>::as_ptr);
        values.zip(self.nulls.chunks_exact(self.width).map(<[_]>::as_ptr))
    }
}

/// Slots for rows of a table.
struct Slots(Vec<*mut TupleTableSlot>);

impl Slots {
    fn new(table: pg_sys::Relation, count: usize) -> Self {
        // SAFETY: the table is open; the slots are given back on drop. The server counts the users
        // of a table's own description of its columns, in a list that it searches for each slot: a
        // copy is not counted.
        unsafe {
            let columns = pg_sys::CreateTupleDescCopy((*table).rd_att);
            let mut slots = Vec::with_capacity(count);
            guarded(|| {
                for _ in 0..count {
                    let kind = &raw const pg_sys::TTSOpsHeapTuple;
                    slots.push(raw::MakeSingleTupleTableSlot(columns, kind));
                }
            });
            Self(slots)
        }
    }

    /// Writes rows, at most as many as there are slots, in memory that is emptied next.
    fn insert(&self, table: pg_sys::Relation, indexes: &Indexes, rows: &Rows) {
        let filled = || self.0.iter().zip(rows.iter());
        let count = filled().count();
        // SAFETY: the table is open for writing and the rows have all its columns. The server puts
        // the place of each row into its slot; it changes neither the rows nor the array of slots.
        unsafe {
            guarded(|| {
                for (slot, (values, nulls)) in filled() {
                    let columns = (*table).rd_att;
                    let tuple = raw::heap_form_tuple(columns, values, nulls);
                    // The slot owns the row. Otherwise the server would copy it.
                    raw::ExecStoreHeapTuple(tuple, *slot, true);
                }
                let command = raw::GetCurrentCommandId(true);
                let (slots, no_state) = (self.0.as_ptr().cast_mut(), std::ptr::null_mut());
                raw::heap_multi_insert(table, slots, count as i32, command, 0, no_state);
                if indexes.are_plain() {
                    let place = |slot: &*mut TupleTableSlot| &raw mut (**slot).tts_tid;
                    let placed = filled().map(|(slot, (values, nulls))| StoredRow {
                        values,
                        nulls,
                        place: place(slot),
                    });
                    indexes.insert(table, placed);
                }
            });
            if !indexes.are_plain() {
                IndexExecutor::new(table).insert(&self.0[..count]);
            }
            for slot in &self.0 {
                // The memory context frees the row.
                (**slot).tts_flags &= !(pg_sys::TTS_FLAG_SHOULDFREE as u16);
            }
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: created here, once.
        give_back(|| unsafe {
            guarded(|| {
                for slot in &self.0 {
                    raw::ExecDropSingleTupleTableSlot(*slot);
                }
            });
        });
    }
}
