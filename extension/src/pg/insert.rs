//! Writing rows into a table beneath SQL, with all its indexes.

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
    let mut inserter = Inserter::new(table, count.min(CHUNK));
    let memory = ScratchMemory::new();
    let mut first = 0;
    while first < count {
        pgrx::check_for_interrupts!();
        let last = (first + CHUNK).min(count);
        memory.during(|| inserter.insert(first, last, &make));
        first = last;
    }
}

struct Inserter {
    table: pg_sys::Relation,
    executor: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
    slots: Vec<*mut pg_sys::TupleTableSlot>,
}

impl Inserter {
    fn new(table: &Relation, slots: usize) -> Self {
        let table = table.raw();
        // SAFETY: the table is open for writing; everything made here is given back on drop.
        unsafe {
            let executor = pg_sys::CreateExecutorState();
            let target =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, table, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            let slots = (0..slots)
                .map(|_| pg_sys::table_slot_create(table, std::ptr::null_mut()))
                .collect();
            Self {
                table,
                executor,
                target,
                slots,
            }
        }
    }

    /// Writes the rows `first..last`, no more than there are slots.
    fn insert<const N: usize>(
        &mut self,
        first: usize,
        last: usize,
        make: &impl Fn(usize) -> Columns<N>,
    ) {
        for (row, slot) in (first..last).zip(&self.slots) {
            fill(*slot, make(row));
        }
        let count = last - first;
        // SAFETY: the slots hold complete rows of this table; the server copies them.
        unsafe {
            if count == 1 {
                pg_sys::simple_table_tuple_insert(self.table, self.slots[0]);
            } else {
                pg_sys::heap_multi_insert(
                    self.table,
                    self.slots.as_mut_ptr(),
                    count as i32,
                    pg_sys::GetCurrentCommandId(true),
                    0,
                    std::ptr::null_mut(),
                );
            }
        }
        (0..count).for_each(|slot| self.insert_into_indexes(slot));
    }

    /// Puts the row of this slot, which is in the table by now, into all indexes.
    fn insert_into_indexes(&self, slot: usize) {
        let slot = self.slots[slot];
        let (no_conflict, no_arbiters) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the row of the slot is in the table, and its indexes are open.
        unsafe {
            (*slot).tts_tableOid = (*self.table).rd_id;
            let rechecks = pg_sys::ExecInsertIndexTuples(
                self.target,
                slot,
                self.executor,
                false,
                false,
                no_conflict,
                no_arbiters,
                #[cfg(not(feature = "pg15"))]
                false,
            );
            pg_sys::list_free(rechecks);
            let expressions = (*self.executor).es_per_tuple_exprcontext;
            if !expressions.is_null() {
                pg_sys::MemoryContextReset((*expressions).ecxt_per_tuple_memory);
            }
        }
    }
}

fn fill<const N: usize>(slot: *mut pg_sys::TupleTableSlot, columns: Columns<N>) {
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

impl Drop for Inserter {
    fn drop(&mut self) {
        // SAFETY: made by us, once.
        unsafe {
            for slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(*slot);
            }
            pg_sys::ExecCloseIndices(self.target);
            pg_sys::FreeExecutorState(self.executor);
            pg_sys::pfree(self.target.cast());
        }
    }
}
