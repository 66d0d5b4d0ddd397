//! Scans of an index, in its order, and the rows that they find.

use super::array::{Array, BigintArray, Element, TextArray};
use super::ffi::guarded;
use super::memory::{ContextSwitch, ScratchMemory};
use super::raw;
use super::relation::Relation;
use super::snapshot::Snapshot;
use super::unwinding::give_back;
use super::value::{Jsonb, Text, plain, uuid};
use pgrx::itemptr::{item_pointer_to_u64, u64_to_item_pointer};
use pgrx::pg_sys::{self, Datum, Oid};
use uuid::Uuid;

/// One condition on a column of the index, numbered from 1.
#[derive(Clone, Copy)]
pub enum Condition<'a> {
    TextEquals(i16, Text<'a>),
    OidEquals(i16, Oid),
    BigintEquals(i16, i64),
    BigintAbove(i16, i64),
    BigintBelow(i16, i64),
    BigintAtMost(i16, i64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A scan that can be repositioned any number of times.
pub struct IndexScan<'r> {
    scan: pg_sys::IndexScanDesc,
    /// Created for the first row that is found.
    slot: *mut pg_sys::TupleTableSlot,
    direction: Direction,
    /// How many columns of a row are read, if the table has more.
    columns: i16,
    // Dropped after the scan has ended.
    index: &'r Relation,
    _snapshot: &'r Snapshot,
}

/// The current row of a scan. Columns are numbered from 1.
pub struct Row<'s> {
    slot: &'s pg_sys::TupleTableSlot,
}

/// The most conditions that one seek may have.
const MAX_CONDITIONS: usize = 3;

impl<'r> IndexScan<'r> {
    pub fn new(table: &'r Relation, index: &'r Relation, snapshot: &'r Snapshot) -> Self {
        // SAFETY: both relations are open and the snapshot is valid for at least as long as this.
        let scan = unsafe { begin(table.raw(), index.raw(), snapshot.raw()) };
        Self {
            scan,
            slot: std::ptr::null_mut(),
            direction: Direction::Forward,
            columns: i16::MAX,
            index,
            _snapshot: snapshot,
        }
    }

    /// Reads the columns up to this one only. The others are then not there for [`Row`].
    pub fn of_columns(mut self, last: i16) -> Self {
        self.columns = last;
        self
    }

    /// Starts over at the first row in this direction that meets all conditions.
    pub fn seek(&mut self, conditions: &[Condition<'r>], direction: Direction) {
        assert!(
            conditions.len() <= MAX_CONDITIONS,
            "{} conditions",
            conditions.len()
        );
        self.direction = direction;
        let mut keys = [pg_sys::ScanKeyData::default(); MAX_CONDITIONS];
        let count = i32::try_from(conditions.len()).unwrap_or(0);
        // SAFETY: the scan was begun with room for MAX_CONDITIONS keys and copies these; what they
        // point to lives as long as the scan.
        unsafe {
            // The number of keys is a field of the scan, which index_rescan does not change.
            (*self.scan).numberOfKeys = count;
            guarded(|| {
                for (key, condition) in keys.iter_mut().zip(conditions) {
                    self.fill(key, *condition);
                }
                raw::index_rescan(self.scan, keys.as_mut_ptr(), count, std::ptr::null_mut(), 0);
            });
        }
    }

    /// The next row.
    pub fn next(&mut self) -> Option<Row<'_>> {
        // SAFETY: the scan is open.
        unsafe {
            pgrx::check_for_interrupts!();
            let found = guarded(|| self.advance());
            found.then(|| Row { slot: &*self.slot })
        }
    }

    /// Passes the next rows to `visit`, each with a copy of it in `memory` as a value of the table's
    /// row type, until `visit` returns `false`. Returns whether it did; otherwise there are no more
    /// rows.
    ///
    /// A guard for each row would cost more than to read the row. So `visit` runs under a guard: it
    /// owns nothing, calls nothing of the server, and does not panic.
    pub fn visit(
        &mut self,
        memory: &ScratchMemory,
        mut visit: impl FnMut(&Row<'_>, Datum) -> bool,
    ) -> bool {
        // After an error, the current context is as before.
        let _current = ContextSwitch::stay();
        // SAFETY: the scan is open. The scan itself allocates what it needs for longer than the
        // rows, so only the copy is made in their memory.
        unsafe {
            guarded(|| {
                loop {
                    if pg_sys::InterruptPending != 0 {
                        raw::ProcessInterrupts();
                    }
                    if !self.advance() {
                        return false;
                    }
                    let current = pg_sys::CurrentMemoryContext;
                    pg_sys::CurrentMemoryContext = memory.raw();
                    let copy = raw::ExecFetchSlotHeapTupleDatum(self.slot);
                    pg_sys::CurrentMemoryContext = current;
                    if !visit(&Row { slot: &*self.slot }, copy) {
                        return true;
                    }
                }
            })
        }
    }

    /// Moves to the next row and reads its columns; `false` if there is none.
    ///
    /// # Safety
    ///
    /// Under a guard.
    unsafe fn advance(&mut self) -> bool {
        let direction = self.direction();
        // SAFETY: the scan is open and the slot is of the table's kind.
        unsafe {
            let found = if self.slot.is_null() {
                self.find_first(direction)
            } else {
                raw::index_getnext_slot(self.scan, direction, self.slot)
            };
            if found {
                // All columns at once, under this guard, which costs more than reading them.
                let columns = (*(*self.slot).tts_tupleDescriptor).natts;
                raw::slot_getsomeattrs_int(self.slot, columns.min(self.columns.into()));
            }
            found
        }
    }

    /// Reads the rows of the next entries of the index, at most `count`, up to this column. They come in
    /// the order of the table, not of the index: so a page with many of them is looked up once, not for
    /// each row. Returns whether there may be more; if not, the scan is over. Not with
    /// [`Snapshot::settled`], which would also see another row that has come to a place meanwhile.
    pub fn next_by_page(
        &mut self,
        count: usize,
        last_column: i16,
        mut read: impl FnMut(&Row<'_>),
    ) -> bool {
        let direction = self.direction();
        let mut places = Vec::with_capacity(count);
        // SAFETY: the scan is open. The vector does not grow, and is dropped outside the guard.
        let may_be_more = unsafe {
            pgrx::check_for_interrupts!();
            guarded(|| {
                while places.len() < count {
                    let place = raw::index_getnext_tid(self.scan, direction);
                    if place.is_null() {
                        return false;
                    }
                    places.push(item_pointer_to_u64(*place));
                }
                true
            })
        };
        places.sort_unstable();
        for place in places {
            // SAFETY: the scan is open and the slot is of the table's kind. A row that the snapshot
            // sees stays at its place, and another one at this place is one that it does not see.
            unsafe {
                pgrx::check_for_interrupts!();
                if guarded(|| self.fetch(place, last_column)) {
                    read(&Row { slot: &*self.slot });
                }
            }
        }
        may_be_more
    }

    /// Fetches the row at a place that the index has named. Returns whether the snapshot sees it.
    ///
    /// # Safety
    ///
    /// Under a guard.
    unsafe fn fetch(&mut self, place: u64, last_column: i16) -> bool {
        // SAFETY: guaranteed by the caller; the server fetches the row that these fields name.
        unsafe {
            if self.slot.is_null() {
                let table = (*self.scan).heapRelation;
                self.slot = raw::table_slot_create(table, std::ptr::null_mut());
            }
            u64_to_item_pointer(place, &mut (*self.scan).xs_heaptid);
            (*self.scan).xs_heap_continue = false;
            let is_seen = raw::index_fetch_heap(self.scan, self.slot);
            // A dead row is not that of the entry where the scan stands, which would be marked.
            (*self.scan).kill_prior_tuple = false;
            if is_seen {
                raw::slot_getsomeattrs_int(self.slot, last_column.into());
            }
            is_seen
        }
    }

    fn direction(&self) -> pg_sys::ScanDirection::Type {
        match self.direction {
            Direction::Forward => pg_sys::ScanDirection::ForwardScanDirection,
            Direction::Backward => pg_sys::ScanDirection::BackwardScanDirection,
        }
    }

    /// Does what the server does for the next row, but creates a slot only if there is one.
    ///
    /// # Safety
    ///
    /// Under a guard.
    unsafe fn find_first(&mut self, direction: pg_sys::ScanDirection::Type) -> bool {
        // SAFETY: guaranteed by the caller; as in `next`.
        unsafe {
            if raw::index_getnext_tid(self.scan, direction).is_null() {
                return false;
            }
            let table = (*self.scan).heapRelation;
            self.slot = raw::table_slot_create(table, std::ptr::null_mut());
            raw::index_fetch_heap(self.scan, self.slot)
                || raw::index_getnext_slot(self.scan, direction, self.slot)
        }
    }

    /// # Safety
    ///
    /// Under a guard.
    unsafe fn fill(&self, key: &mut pg_sys::ScanKeyData, condition: Condition<'_>) {
        let (column, strategy, procedure, value) = match condition {
            Condition::TextEquals(column, text) => (
                column,
                pg_sys::BTEqualStrategyNumber,
                pg_sys::F_TEXTEQ,
                text.datum(),
            ),
            Condition::OidEquals(column, oid) => (
                column,
                pg_sys::BTEqualStrategyNumber,
                pg_sys::F_OIDEQ,
                Datum::from(oid),
            ),
            Condition::BigintEquals(column, value) => (
                column,
                pg_sys::BTEqualStrategyNumber,
                pg_sys::F_INT8EQ,
                Datum::from(value),
            ),
            Condition::BigintAbove(column, value) => (
                column,
                pg_sys::BTGreaterStrategyNumber,
                pg_sys::F_INT8GT,
                Datum::from(value),
            ),
            Condition::BigintBelow(column, value) => (
                column,
                pg_sys::BTLessStrategyNumber,
                pg_sys::F_INT8LT,
                Datum::from(value),
            ),
            Condition::BigintAtMost(column, value) => (
                column,
                pg_sys::BTLessEqualStrategyNumber,
                pg_sys::F_INT8LE,
                Datum::from(value),
            ),
        };
        // SAFETY: the index has this column, with this collation; the key belongs to this scan.
        unsafe {
            let collation = *(*self.index.raw()).rd_indcollation.add(column as usize - 1);
            raw::ScanKeyEntryInitialize(
                key,
                0,
                column,
                strategy as pg_sys::StrategyNumber,
                Oid::INVALID,
                collation,
                Oid::from(procedure),
                value,
            );
        }
    }
}

#[cfg(not(feature = "pg18"))]
unsafe fn begin(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
) -> pg_sys::IndexScanDesc {
    // SAFETY: guaranteed by the caller.
    unsafe { pg_sys::index_beginscan(table, index, snapshot, MAX_CONDITIONS as i32, 0) }
}

#[cfg(feature = "pg18")]
unsafe fn begin(
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
) -> pg_sys::IndexScanDesc {
    let no_counters = std::ptr::null_mut();
    // SAFETY: guaranteed by the caller.
    unsafe {
        pg_sys::index_beginscan(
            table,
            index,
            snapshot,
            no_counters,
            MAX_CONDITIONS as i32,
            0,
        )
    }
}

impl Drop for IndexScan<'_> {
    fn drop(&mut self) {
        // SAFETY: begun and created here, once.
        give_back(|| unsafe {
            guarded(|| {
                raw::index_endscan(self.scan);
                if !self.slot.is_null() {
                    raw::ExecDropSingleTupleTableSlot(self.slot);
                }
            });
        });
    }
}

impl<'s> Row<'s> {
    /// The stored value of a column.
    pub fn datum(&self, column: i16) -> Option<Datum> {
        let column = column as usize;
        let columns = usize::try_from(self.slot.tts_nvalid).unwrap_or(0);
        assert!(column <= columns, "column {column} of {columns}");
        // SAFETY: the slot has this many values.
        unsafe {
            let null = *self.slot.tts_isnull.add(column - 1);
            (!null).then(|| *self.slot.tts_values.add(column - 1))
        }
    }

    /// A column of type bigint or timestamptz that is not NULL.
    pub fn bigint(&self, column: i16) -> i64 {
        self.datum(column).map_or(0, |datum| datum.value() as i64)
    }

    /// A column of type uuid that is not NULL.
    pub fn uuid(&self, column: i16) -> Uuid {
        // SAFETY: the column is a uuid.
        self.datum(column)
            .map_or(Uuid::nil(), |datum| unsafe { uuid(datum) })
    }

    /// A column of type text that is not NULL.
    pub fn text(&self, column: i16) -> Option<Text<'s>> {
        // SAFETY: the column is a text; the row holds still as long as the scan is not moved.
        self.datum(column).map(|datum| unsafe { Text::new(datum) })
    }

    /// A column of type integer that is not NULL.
    pub fn integer(&self, column: i16) -> i32 {
        self.datum(column).map_or(0, |datum| datum.value() as i32)
    }

    /// A column of type oid that is not NULL.
    pub fn oid(&self, column: i16) -> Oid {
        Oid::from(self.integer(column).cast_unsigned())
    }

    /// A column of type boolean that is not NULL.
    pub fn boolean(&self, column: i16) -> bool {
        self.datum(column).is_some_and(|datum| datum.value() != 0)
    }

    /// A column of type text[] of one dimension.
    pub fn text_array(&self, column: i16) -> Option<TextArray<'s>> {
        // SAFETY: the column is a text[]; as below.
        let array = |datum| unsafe { Array::new(datum, Element::Text) };
        self.datum(column).and_then(array).map(TextArray)
    }

    /// The bytes of a value of variable length, as the server stores it in memory.
    pub fn bytes(&self, column: i16) -> Option<&'s [u8]> {
        let datum = self.datum(column)?;
        // SAFETY: the column is of a type of variable length, whose values begin with their length.
        unsafe {
            let value = plain(datum);
            let length = pgrx::varlena::varsize_any(value);
            Some(std::slice::from_raw_parts(value.cast::<u8>(), length))
        }
    }

    /// A column of type bigint[] of one dimension, without its NULLs.
    pub fn bigint_array(&self, column: i16) -> Option<Vec<i64>> {
        // SAFETY: the column is a bigint[]; as above.
        let array = |datum| unsafe { Array::new(datum, Element::Bigint) };
        let array = self.datum(column).and_then(array).map(BigintArray)?;
        Some(
            (0..array.0.len())
                .filter_map(|index| array.get(index))
                .collect(),
        )
    }

    /// Its place in the table.
    pub(super) fn place(&self) -> pg_sys::ItemPointerData {
        self.slot.tts_tid
    }

    /// The whole row, as a value of the table's row type in the current memory context.
    pub fn composite(&self) -> Datum {
        let slot = std::ptr::from_ref(self.slot).cast_mut();
        // SAFETY: the slot holds a row.
        unsafe { pg_sys::ExecFetchSlotHeapTupleDatum(slot) }
    }

    /// A column of type jsonb.
    pub fn jsonb(&self, column: i16) -> Option<Jsonb<'s>> {
        // SAFETY: the column is a jsonb; as above.
        self.datum(column).map(|datum| unsafe { Jsonb::new(datum) })
    }
}
