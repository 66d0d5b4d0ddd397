//! Index entries by the executor, for indexes that need expressions evaluated.

use super::unwinding::give_back;
use pgrx::pg_sys;

/// The executor's state for a table and its indexes.
pub struct IndexExecutor {
    table: pg_sys::Relation,
    executor: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
}

impl IndexExecutor {
    pub fn new(table: pg_sys::Relation) -> Self {
        // SAFETY: the table is open for writing; everything made here is given back on drop.
        unsafe {
            let executor = pg_sys::CreateExecutorState();
            let target =
                pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, table, 0, std::ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            Self {
                table,
                executor,
                target,
            }
        }
    }

    /// Adds rows that are in the table to all indexes.
    pub fn insert(&self, rows: &[*mut pg_sys::TupleTableSlot]) {
        let (no_conflict, no_arbiters) = (std::ptr::null_mut(), std::ptr::null_mut());
        for slot in rows {
            // SAFETY: the row of the slot is in the table, and its indexes are open.
            unsafe {
                (**slot).tts_tableOid = (*self.table).rd_id;
                let rechecks = pg_sys::ExecInsertIndexTuples(
                    self.target,
                    *slot,
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
}

impl Drop for IndexExecutor {
    fn drop(&mut self) {
        // SAFETY: created here, once.
        give_back(|| unsafe {
            pg_sys::ExecCloseIndices(self.target);
            pg_sys::FreeExecutorState(self.executor);
            pg_sys::pfree(self.target.cast());
        });
    }
}
