//! The indexes of a table, for rows that are written beneath SQL.

use super::ffi::guarded;
use super::raw;
use super::relation::Relation;
#[cfg(any(feature = "pg17", feature = "pg18"))]
use super::unwinding::give_back;
use pgrx::pg_sys::{self, Datum, Oid};

/// All indexes of a table, open for writing.
pub struct Indexes(Vec<Index>);

struct Index {
    relation: Relation,
    info: *mut pg_sys::IndexInfo,
}

/// A row that is in the table, with one element per column.
#[derive(Clone, Copy)]
pub struct StoredRow {
    pub values: *const Datum,
    pub nulls: *const bool,
    pub place: pg_sys::ItemPointer,
}

const MAX_KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;

impl Indexes {
    /// Opens the indexes. The table is open for writing, because its lock comes before those of the
    /// indexes.
    pub fn open(table: &Relation) -> Self {
        let mut indexes = Vec::new();
        // SAFETY: the table is open, so that its indexes stay; they are closed on drop.
        unsafe {
            let list = pg_sys::RelationGetIndexList(table.raw());
            let oids = oids(list);
            // Nothing may be allocated under the guard.
            indexes.reserve_exact(oids.len());
            guarded(|| {
                for oid in oids {
                    let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
                    let relation = raw::index_open(oid.oid_value, mode);
                    let info = raw::BuildIndexInfo(relation);
                    let relation = Relation::opened_index(relation);
                    indexes.push(Index { relation, info });
                }
                raw::list_free(list);
            });
        }
        Self(indexes)
    }

    /// The index with this OID.
    pub fn find(&self, oid: Oid) -> Option<&Relation> {
        let mut relations = self.0.iter().map(|index| &index.relation);
        relations.find(|index| index.oid() == oid)
    }

    /// Whether [`Self::insert`] is enough for them. Expressions, predicates, exclusion constraints
    /// and deferrable constraints need the executor.
    pub fn are_plain(&self) -> bool {
        // SAFETY: the indexes are open.
        self.0.iter().all(|index| unsafe {
            (*index.info).ii_Expressions.is_null()
                && (*index.info).ii_Predicate.is_null()
                && (*index.info).ii_ExclusionOps.is_null()
                && (*(*index.relation.raw()).rd_index).indimmediate
        })
    }

    /// Adds rows that are in the table to each index.
    ///
    /// # Safety
    ///
    /// Under a guard. The indexes are plain, and those of this table.
    pub unsafe fn insert(
        &self,
        table: pg_sys::Relation,
        rows: impl Iterator<Item = StoredRow> + Clone,
    ) {
        // SAFETY: the indexes are open.
        let ready = |index: &&Index| unsafe { (*index.info).ii_ReadyForInserts };
        for index in self.0.iter().filter(ready) {
            // SAFETY: guaranteed by the caller.
            rows.clone()
                .for_each(|row| unsafe { index.insert(table, row) });
        }
    }
}

impl Index {
    /// # Safety
    ///
    /// As for [`Indexes::insert`].
    unsafe fn insert(&self, table: pg_sys::Relation, row: StoredRow) {
        let mut values = [Datum::null(); MAX_KEYS];
        let mut nulls = [true; MAX_KEYS];
        // SAFETY: the index is open and plain: its keys are columns of the table.
        unsafe {
            let info = &*self.info;
            let numbers = info.ii_IndexAttrNumbers.iter();
            let keys = values.iter_mut().zip(&mut nulls).zip(numbers);
            for ((value, null), number) in keys.take(info.ii_NumIndexAttrs as usize) {
                let column = *number as usize - 1;
                *value = *row.values.add(column);
                *null = *row.nulls.add(column);
            }
            let check = if info.ii_Unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            };
            raw::index_insert(
                self.relation.raw(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                row.place,
                table,
                check,
                false,
                self.info,
            );
        }
    }
}

#[cfg(any(feature = "pg17", feature = "pg18"))]
impl Drop for Index {
    fn drop(&mut self) {
        // SAFETY: the index is still open.
        give_back(|| unsafe {
            pg_sys::index_insert_cleanup(self.relation.raw(), self.info);
        });
    }
}

/// The elements of a list of OIDs.
///
/// # Safety
///
/// `list` is a list of OIDs, or null, and lives for `'a`.
unsafe fn oids<'a>(list: *const pg_sys::List) -> &'a [pg_sys::ListCell] {
    if list.is_null() {
        return &[];
    }
    // SAFETY: guaranteed by the caller.
    unsafe {
        let count = usize::try_from((*list).length).unwrap_or(0);
        std::slice::from_raw_parts((*list).elements, count)
    }
}
