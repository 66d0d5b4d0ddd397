//! Tables and indexes, opened.

use pgrx::pg_sys::{self, Oid};
use std::ffi::CStr;

/// A table or an index that is open. The lock stays until the transaction ends, as is usual.
pub struct Relation {
    raw: pg_sys::Relation,
    is_index: bool,
}

/// How a relation is going to be used.
#[derive(Clone, Copy)]
pub enum Use {
    Read,
    Write,
}

impl Use {
    fn lock_mode(self) -> pg_sys::LOCKMODE {
        (match self {
            Self::Read => pg_sys::AccessShareLock,
            Self::Write => pg_sys::RowExclusiveLock,
        }) as pg_sys::LOCKMODE
    }
}

impl Relation {
    pub fn table(oid: Oid, purpose: Use) -> Self {
        // SAFETY: raises an error for an oid that is no table.
        let raw = unsafe { pg_sys::table_open(oid, purpose.lock_mode()) };
        Self {
            raw,
            is_index: false,
        }
    }

    pub fn index(oid: Oid, purpose: Use) -> Self {
        // SAFETY: raises an error for an oid that is no index.
        let raw = unsafe { pg_sys::index_open(oid, purpose.lock_mode()) };
        Self {
            raw,
            is_index: true,
        }
    }

    pub(super) fn raw(&self) -> pg_sys::Relation {
        self.raw
    }

    /// Whether the table has no page, as one that never held a row.
    pub fn has_no_pages(&self) -> bool {
        // SAFETY: the relation is open.
        let blocks = unsafe {
            pg_sys::RelationGetNumberOfBlocksInFork(self.raw, pg_sys::ForkNumber::MAIN_FORKNUM)
        };
        blocks == 0
    }

    /// The types of the columns, in order; dropped ones have type 0.
    pub fn column_types(&self) -> Vec<Oid> {
        // SAFETY: the relation is open; its descriptor has `natts` attributes.
        unsafe {
            let columns = (*self.raw).rd_att;
            (0..(*columns).natts)
                .map(|i| (*attribute(columns, i)).atttypid)
                .collect()
        }
    }

    /// What would be bypassed by writing rows beneath SQL, if anything: completes the sentence
    /// "the table …".
    pub fn obstacle_to_direct_writes(&self) -> Option<&'static str> {
        // SAFETY: the relation is open.
        unsafe {
            let class = &*(*self.raw).rd_rel;
            if class.relkind != pg_sys::RELKIND_RELATION as std::ffi::c_char {
                return Some("is not an ordinary table");
            }
            if class.relrowsecurity {
                return Some("has row security");
            }
            let triggers = (*self.raw).trigdesc;
            if !triggers.is_null()
                && ((*triggers).trig_insert_before_row
                    || (*triggers).trig_insert_after_row
                    || (*triggers).trig_insert_before_statement
                    || (*triggers).trig_insert_after_statement)
            {
                return Some("has a trigger for INSERT");
            }
            let constraints = (*(*self.raw).rd_att).constr;
            if !constraints.is_null()
                && ((*constraints).num_check > 0 || (*constraints).has_generated_stored)
            {
                return Some("has a check constraint or a generated column");
            }
            None
        }
    }
}

#[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
unsafe fn attribute(columns: pg_sys::TupleDesc, number: i32) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: the caller's: `number` is below `natts`.
    unsafe { (*columns).attrs.as_mut_ptr().offset(number as isize) }
}

#[cfg(feature = "pg18")]
unsafe fn attribute(columns: pg_sys::TupleDesc, number: i32) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: the caller's: `number` is below `natts`.
    unsafe { pg_sys::TupleDescAttr(columns, number) }
}

impl Drop for Relation {
    fn drop(&mut self) {
        // SAFETY: opened by us, once; the transaction keeps the lock.
        unsafe {
            if self.is_index {
                pg_sys::index_close(self.raw, pg_sys::NoLock as pg_sys::LOCKMODE);
            } else {
                pg_sys::table_close(self.raw, pg_sys::NoLock as pg_sys::LOCKMODE);
            }
        }
    }
}

/// The oid of a schema, if it exists.
pub fn schema(name: &CStr) -> Option<Oid> {
    // SAFETY: a C string.
    let oid = unsafe { pg_sys::get_namespace_oid(name.as_ptr(), true) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The oid of a table, an index or a sequence in a schema, if it exists.
pub fn find(schema: Oid, name: &CStr) -> Option<Oid> {
    // SAFETY: a C string.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (oid != Oid::INVALID).then_some(oid)
}
