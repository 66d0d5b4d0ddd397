//! The indexes of a table, for rows that are written beneath SQL.

use pgrx::pg_sys::{self, Datum};

/// All indexes of a table, open to be written.
pub struct Indexes(Vec<Index>);

struct Index {
    relation: pg_sys::Relation,
    info: *mut pg_sys::IndexInfo,
}

const MAX_KEYS: usize = pg_sys::INDEX_MAX_KEYS as usize;

impl Indexes {
    pub fn open(table: pg_sys::Relation) -> Self {
        let mut indexes = Self(Vec::new());
        // SAFETY: the table is open, so that its indexes stay; they are closed on drop.
        unsafe {
            let list = pg_sys::RelationGetIndexList(table);
            let count = if list.is_null() { 0 } else { (*list).length };
            for number in 0..count {
                let oid = pg_sys::list_nth_oid(list, number);
                let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
                let relation = pg_sys::index_open(oid, mode);
                let info = pg_sys::BuildIndexInfo(relation);
                indexes.0.push(Index { relation, info });
            }
            pg_sys::list_free(list);
        }
        indexes
    }

    /// Whether [`Self::insert`] can do all that they need. Expressions, predicates, exclusion and
    /// deferrable constraints take the executor.
    pub fn are_plain(&self) -> bool {
        // SAFETY: the indexes are open.
        self.0.iter().all(|index| unsafe {
            (*index.info).ii_Expressions.is_null()
                && (*index.info).ii_Predicate.is_null()
                && (*index.info).ii_ExclusionOps.is_null()
                && (*(*index.relation).rd_index).indimmediate
        })
    }

    /// Puts rows that are in the table into one index after the other.
    pub fn insert(&self, table: pg_sys::Relation, rows: &[*mut pg_sys::TupleTableSlot]) {
        // SAFETY: the indexes are open.
        let ready = |index: &&Index| unsafe { (*index.info).ii_ReadyForInserts };
        for index in self.0.iter().filter(ready) {
            rows.iter().for_each(|row| index.insert(table, *row));
        }
    }
}

impl Index {
    fn insert(&self, table: pg_sys::Relation, row: *mut pg_sys::TupleTableSlot) {
        let mut values = [Datum::null(); MAX_KEYS];
        let mut nulls = [true; MAX_KEYS];
        // SAFETY: the index is open and plain: its keys are columns of the table, of which the slot
        // holds a row.
        unsafe {
            let info = &*self.info;
            let columns = usize::try_from(info.ii_NumIndexAttrs).unwrap_or(0);
            for (key, number) in info.ii_IndexAttrNumbers.iter().take(columns).enumerate() {
                let column = *number as usize - 1;
                values[key] = *(*row).tts_values.add(column);
                nulls[key] = *(*row).tts_isnull.add(column);
            }
            let check = if info.ii_Unique {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_YES
            } else {
                pg_sys::IndexUniqueCheck::UNIQUE_CHECK_NO
            };
            pg_sys::index_insert(
                self.relation,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
                &raw mut (*row).tts_tid,
                table,
                check,
                false,
                self.info,
            );
        }
    }
}

impl Drop for Indexes {
    fn drop(&mut self) {
        for index in &self.0 {
            // SAFETY: opened by us, once. The locks stay until the transaction ends.
            unsafe {
                #[cfg(any(feature = "pg17", feature = "pg18"))]
                pg_sys::index_insert_cleanup(index.relation, index.info);
                pg_sys::index_close(index.relation, pg_sys::NoLock as pg_sys::LOCKMODE);
            }
        }
    }
}
