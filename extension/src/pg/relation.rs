//! Tables and indexes: opening them, and what the server knows of them.

use super::ffi::guarded;
use super::raw;
use super::snapshot::Snapshot;
use super::unwinding::give_back;
use pgrx::pg_sys::{self, Oid};
use std::ffi::{CStr, CString};

/// An open table or index. Its lock stays until the transaction ends, as is usual.
pub struct Relation {
    raw: pg_sys::Relation,
    is_index: bool,
}

/// A column of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its type; 0 if the column was dropped.
    pub data_type: Oid,
    pub not_null: bool,
    /// Its collation; 0 for types that have none.
    pub collation: Oid,
}

/// A trigger of a table.
pub struct Trigger {
    pub name: CString,
    /// Whether it fires for INSERT, perhaps among others.
    pub on_insert: bool,
    /// Whether it fires regardless of `session_replication_role`.
    pub always: bool,
}

/// The kinds of relations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Table,
    Index,
    Sequence,
}

/// What a relation is opened for.
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

    /// `None` if the table no longer exists.
    pub fn existing_table(oid: Oid, purpose: Use) -> Option<Self> {
        // SAFETY: any OID is allowed; waiting for the lock brings in what has changed meanwhile.
        let raw = unsafe { pg_sys::try_table_open(oid, purpose.lock_mode()) };
        // Not `then_some`: that would create and drop a relation that does not exist.
        (!raw.is_null()).then(|| Self {
            raw,
            is_index: false,
        })
    }

    /// Does the same without waiting; also `None` if another transaction has locked the table.
    pub fn try_table(oid: Oid, purpose: Use) -> Option<Self> {
        // SAFETY: any OID is allowed.
        if !unsafe { pg_sys::ConditionalLockRelationOid(oid, purpose.lock_mode()) } {
            return None;
        }
        // SAFETY: locked by now.
        let raw = unsafe { pg_sys::try_table_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE) };
        (!raw.is_null()).then(|| Self {
            raw,
            is_index: false,
        })
    }

    pub fn index(oid: Oid, purpose: Use) -> Self {
        // SAFETY: raises an error for an oid that is no index.
        let raw = unsafe { pg_sys::index_open(oid, purpose.lock_mode()) };
        Self {
            raw,
            is_index: true,
        }
    }

    /// An index that was just opened.
    pub(super) fn opened_index(raw: pg_sys::Relation) -> Self {
        Self {
            raw,
            is_index: true,
        }
    }

    pub(super) fn raw(&self) -> pg_sys::Relation {
        self.raw
    }

    pub fn oid(&self) -> Oid {
        // SAFETY: the relation is open.
        unsafe { (*self.raw).rd_id }
    }

    /// Whether the table has a row that the snapshot sees.
    pub fn has_row(&self, snapshot: &Snapshot) -> bool {
        let (no_keys, forward) = (
            std::ptr::null_mut(),
            pg_sys::ScanDirection::ForwardScanDirection,
        );
        // SAFETY: the table is open, and the scan is ended before it is closed.
        unsafe {
            let scan = pg_sys::table_beginscan(self.raw, snapshot.raw(), 0, no_keys);
            let found = !pg_sys::heap_getnext(scan, forward).is_null();
            pg_sys::table_endscan(scan);
            found
        }
    }

    /// The columns, in order.
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: the relation is open; its descriptor has `natts` attributes.
        unsafe {
            let columns = (*self.raw).rd_att;
            (0..(*columns).natts)
                .map(|number| {
                    let column = attribute(columns, number);
                    Column {
                        data_type: (*column).atttypid,
                        not_null: (*column).attnotnull,
                        collation: (*column).attcollation,
                    }
                })
                .collect()
        }
    }

    /// Whether it is an ordinary table, stored as a heap.
    pub fn is_heap(&self) -> bool {
        // SAFETY: the relation is open.
        let class = unsafe { &*(*self.raw).rd_rel };
        class.relkind as u8 == pg_sys::RELKIND_RELATION && class.relam == pg_sys::HEAP_TABLE_AM_OID
    }

    /// Whether its rows survive a crash and it is not a partition of another table.
    pub fn is_permanent_and_whole(&self) -> bool {
        // SAFETY: the relation is open.
        let class = unsafe { &*(*self.raw).rd_rel };
        class.relpersistence as u8 == pg_sys::RELPERSISTENCE_PERMANENT && !class.relispartition
    }

    /// Whether it is a valid, unique b-tree on exactly these columns of the table.
    pub fn is_unique_index_on(&self, table: Oid, columns: &[i16]) -> bool {
        // SAFETY: the relation is open and is an index, whose description has `indnatts` columns.
        unsafe {
            let index = (*self.raw).rd_index;
            let count = usize::try_from((*index).indnatts).unwrap_or(0);
            let keys = std::slice::from_raw_parts((*index).indkey.values.as_ptr(), count);
            (*(*self.raw).rd_rel).relam == pg_sys::BTREE_AM_OID
                && (*index).indrelid == table
                && (*index).indisvalid
                && (*index).indisunique
                && keys == columns
                && pg_sys::RelationGetIndexPredicate(self.raw).is_null()
        }
    }

    /// The type of its rows.
    pub fn row_type(&self) -> Oid {
        // SAFETY: the relation is open.
        unsafe { (*(*self.raw).rd_rel).reltype }
    }

    /// Whether row security filters the rows.
    pub fn has_row_security(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { (*(*self.raw).rd_rel).relrowsecurity }
    }

    /// Whether a rule rewrites statements on the table.
    pub fn has_rule(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe { !(*self.raw).rd_rules.is_null() }
    }

    /// Whether the table has a check constraint or a generated column.
    pub fn has_check_or_generated_column(&self) -> bool {
        // SAFETY: the relation is open.
        unsafe {
            let constraints = (*(*self.raw).rd_att).constr;
            !constraints.is_null()
                && ((*constraints).num_check > 0 || (*constraints).has_generated_stored)
        }
    }

    /// The triggers of the table.
    pub fn triggers(&self) -> Vec<Trigger> {
        // SAFETY: the relation is open; its description has `numtriggers` triggers.
        unsafe {
            let description = (*self.raw).trigdesc;
            if description.is_null() {
                return Vec::new();
            }
            let count = usize::try_from((*description).numtriggers).unwrap_or(0);
            let triggers = std::slice::from_raw_parts((*description).triggers, count);
            triggers
                .iter()
                .map(|trigger| Trigger {
                    name: CStr::from_ptr(trigger.tgname).to_owned(),
                    on_insert: u32::from(trigger.tgtype as u16) & pg_sys::TRIGGER_TYPE_INSERT != 0,
                    always: trigger.tgenabled as u8 == pg_sys::TRIGGER_FIRES_ALWAYS,
                })
                .collect()
        }
    }
}

#[cfg(any(feature = "pg15", feature = "pg16", feature = "pg17"))]
unsafe fn attribute(columns: pg_sys::TupleDesc, number: i32) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: guaranteed by the caller: `number` is below `natts`.
    unsafe { (*columns).attrs.as_mut_ptr().offset(number as isize) }
}

#[cfg(feature = "pg18")]
unsafe fn attribute(columns: pg_sys::TupleDesc, number: i32) -> *mut pg_sys::FormData_pg_attribute {
    // SAFETY: guaranteed by the caller: `number` is below `natts`.
    unsafe { pg_sys::TupleDescAttr(columns, number) }
}

impl Drop for Relation {
    fn drop(&mut self) {
        // SAFETY: opened here, once; the transaction keeps the lock.
        give_back(|| unsafe {
            if self.is_index {
                pg_sys::index_close(self.raw, pg_sys::NoLock as pg_sys::LOCKMODE);
            } else {
                pg_sys::table_close(self.raw, pg_sys::NoLock as pg_sys::LOCKMODE);
            }
        });
    }
}

/// Learns of changes of tables that other sessions have committed, as opening a table does.
pub fn accept_changes() {
    // SAFETY: in a transaction; what is open stays open.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}

/// Whether a table has no pages, because it never had a row. It is locked as for reading.
pub fn has_no_pages(table: Oid) -> bool {
    // SAFETY: raises an error for an oid that is no table. After any other error the server closes
    // the table.
    let blocks = unsafe {
        guarded(|| {
            let table = raw::table_open(table, Use::Read.lock_mode());
            let main = pg_sys::ForkNumber::MAIN_FORKNUM;
            let blocks = raw::RelationGetNumberOfBlocksInFork(table, main);
            raw::table_close(table, pg_sys::NoLock as pg_sys::LOCKMODE);
            blocks
        })
    };
    blocks == 0
}

/// The OID of a schema, if it exists.
pub fn schema(name: &CStr) -> Option<Oid> {
    // SAFETY: a C string.
    let oid = unsafe { pg_sys::get_namespace_oid(name.as_ptr(), true) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The OID of a table, an index or a sequence in a schema, if it exists.
pub fn find(schema: Oid, name: &CStr) -> Option<Oid> {
    // SAFETY: a C string.
    let oid = unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) };
    (oid != Oid::INVALID).then_some(oid)
}

/// The number of a column, if the relation has one of this name.
pub fn column_number(relation: Oid, column: &CStr) -> Option<i16> {
    // SAFETY: any OID is allowed, and a C string.
    let number = unsafe { pg_sys::get_attnum(relation, column.as_ptr()) };
    (number > 0).then_some(number)
}

/// The kind of a relation; `None` for any other kind, and if it does not exist.
pub fn kind(relation: Oid) -> Option<Kind> {
    // SAFETY: any OID is allowed.
    match unsafe { pg_sys::get_rel_relkind(relation) } as u8 {
        pg_sys::RELKIND_RELATION => Some(Kind::Table),
        pg_sys::RELKIND_INDEX => Some(Kind::Index),
        pg_sys::RELKIND_SEQUENCE => Some(Kind::Sequence),
        _ => None,
    }
}

/// Whether a relation is a member of this extension.
pub fn belongs_to_extension(relation: Oid, extension: &CStr) -> bool {
    // SAFETY: any OID is allowed, and a C string.
    unsafe {
        let owner = pg_sys::getExtensionOfObject(pg_sys::RelationRelationId, relation);
        owner != Oid::INVALID && owner == pg_sys::get_extension_oid(extension.as_ptr(), true)
    }
}

/// Whether a schema is a member of this extension.
pub fn schema_belongs_to_extension(schema: Oid, extension: &CStr) -> bool {
    // SAFETY: any OID is allowed, and a C string.
    unsafe {
        let owner = pg_sys::getExtensionOfObject(pg_sys::NamespaceRelationId, schema);
        owner != Oid::INVALID && owner == pg_sys::get_extension_oid(extension.as_ptr(), true)
    }
}

/// The name of a table, without its schema.
pub fn name(table: Oid) -> String {
    // SAFETY: any OID is allowed; the name is a C string in memory of the server's.
    unsafe {
        let name = pg_sys::get_rel_name(table);
        if name.is_null() {
            return table.to_u32().to_string();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

/// Whether the current role has the rights of a table's owner.
pub fn is_owner(table: Oid) -> bool {
    // SAFETY: the table exists.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        return pg_sys::pg_class_ownercheck(table, user);
        #[cfg(not(feature = "pg15"))]
        pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, user)
    }
}

/// Raises the server's own error unless the current role may read this table.
pub fn require_readable(table: Oid) {
    require_privilege(table, pg_sys::ACL_SELECT);
}

fn require_privilege(table: Oid, wanted: u32) {
    // SAFETY: the table exists.
    unsafe {
        let wanted = wanted as pg_sys::AclMode;
        let result = pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), wanted);
        if result != pg_sys::AclResult::ACLCHECK_OK {
            let kind = pg_sys::ObjectType::OBJECT_TABLE;
            pg_sys::aclcheck_error(result, kind, pg_sys::get_rel_name(table));
        }
    }
}

/// Locks a table as CREATE TRIGGER does. The caller must have the privilege TRIGGER.
pub fn lock_as_for_trigger(table: Oid) {
    require_privilege(table, pg_sys::ACL_TRIGGER);
    // SAFETY: the table exists.
    unsafe { pg_sys::LockRelationOid(table, pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE) };
}

/// Makes every process forget what it has cached of a table, when the transaction commits.
pub fn announce_change(table: Oid) {
    // SAFETY: raises an error for an oid that is no relation.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
}

/// The array type of a type.
pub fn array_type(of: Oid) -> Oid {
    // SAFETY: any OID is allowed.
    unsafe { pg_sys::get_array_type(of) }
}
