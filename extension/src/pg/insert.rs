//! Writing rows into a table beneath SQL, with all its indexes.
//!
//! Whatever the executor would do around it (triggers, constraints, row security) is bypassed: the
//! caller has made sure that there is nothing of that.

use super::index_executor::IndexExecutor;
use super::indexes::Indexes;
use super::memory::ScratchMemory;
use super::relation::Relation;
use pgrx::pg_sys::{self, Datum};

/// How many rows are handed to the server at a time.
const CHUNK: usize = 1000;

/// The columns of a row; `None` is NULL.
pub type Columns<const N: usize> = [Option<Datum>; N];

/// Writes `count` rows that `make` makes one after the other.
pub fn insert_rows<const N: usize>(
    table: &Relation,
    count: usize,
    make: impl Fn(usize) -> Columns<N>,
) {
    let table = table.raw();
    let indexes = Indexes::open(table);
    let slots = Slots::new(table, count.min(CHUNK));
    if count == 1 {
        slots.fill(0, make(0));
        return insert(table, &indexes, &slots.0);
    }
    let memory = ScratchMemory::new();
    let mut first = 0;
    while first < count {
        pgrx::check_for_interrupts!();
        let chunk = CHUNK.min(count - first);
        for slot in 0..chunk {
            slots.fill(slot, make(first + slot));
        }
        memory.during(|| insert(table, &indexes, &slots.0[..chunk]));
        first += chunk;
    }
}

/// Writes the rows in these slots.
fn insert(table: pg_sys::Relation, indexes: &Indexes, rows: &[*mut pg_sys::TupleTableSlot]) {
    // SAFETY: the table is open for writing and the slots hold complete rows of it; the server
    // copies them, and puts the place of each row into its slot.
    unsafe {
        let command = pg_sys::GetCurrentCommandId(true);
        let no_state = std::ptr::null_mut();
        if let [slot] = *rows {
            let (values, nulls) = ((*slot).tts_values, (*slot).tts_isnull);
            let tuple = pg_sys::heap_form_tuple((*table).rd_att, values, nulls);
            pg_sys::heap_insert(table, tuple, command, 0, no_state);
            (*slot).tts_tid = (*tuple).t_self;
        } else {
            let count = i32::try_from(rows.len()).unwrap_or(0);
            // It does not change the array.
            let slots = rows.as_ptr().cast_mut();
            pg_sys::heap_multi_insert(table, slots, count, command, 0, no_state);
        }
    }
    if indexes.are_plain() {
        indexes.insert(table, rows);
    } else {
        IndexExecutor::new(table).insert(rows);
    }
}

/// Room for rows of a table.
struct Slots(Vec<*mut pg_sys::TupleTableSlot>);

impl Slots {
    fn new(table: pg_sys::Relation, count: usize) -> Self {
        // SAFETY: the table is open; the slots are given back on drop. The server counts who uses a
        // table's own description of its columns, in a list that it searches for each slot: a copy
        // is not counted.
        unsafe {
            let columns = pg_sys::CreateTupleDescCopy((*table).rd_att);
            let make =
                |_| pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsVirtual);
            Self((0..count).map(make).collect())
        }
    }

    fn fill<const N: usize>(&self, number: usize, columns: Columns<N>) {
        let slot = self.0[number];
        // SAFETY: the slot is ours, and its table has at least N columns.
        unsafe {
            pg_sys::ExecClearTuple(slot);
            let all = usize::try_from((*(*slot).tts_tupleDescriptor).natts).unwrap_or(0);
            assert!(all >= N, "{N} columns for a table of {all}");
            // What is behind ours has been dropped.
            let columns = columns.into_iter().chain(std::iter::repeat(None)).take(all);
            for (index, column) in columns.enumerate() {
                *(*slot).tts_values.add(index) = column.unwrap_or(Datum::null());
                *(*slot).tts_isnull.add(index) = column.is_none();
            }
            pg_sys::ExecStoreVirtualTuple(slot);
        }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in &self.0 {
            // SAFETY: made by us, once.
            unsafe { pg_sys::ExecDropSingleTupleTableSlot(*slot) };
        }
    }
}
