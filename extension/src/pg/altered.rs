//! What a statement has just changed in the system catalogs: a row before and after the change.
//!
//! Until the statement ends, the server's caches have the old row, and a scan with a snapshot that
//! sees everything finds the new one.

use super::ffi::guarded;
use super::raw;
use pgrx::pg_sys::{self, Datum, NameData, Oid};
use std::ffi::CStr;

/// The columns of `pg_class`, `pg_proc`, `pg_namespace` or `pg_attribute` that matter here.
#[derive(Clone, Copy)]
pub struct CatalogRow {
    name: NameData,
    /// The schema; 0 if the object has none.
    pub schema: Oid,
    /// For a table: whether its rows survive a crash.
    pub permanent: bool,
}

impl CatalogRow {
    pub fn name(&self) -> String {
        // SAFETY: the server ends names with a zero.
        let name = unsafe { CStr::from_ptr(self.name.data.as_ptr()) };
        name.to_string_lossy().into_owned()
    }

    pub fn has_name_of(&self, other: &Self) -> bool {
        self.name.data == other.name.data
    }
}

/// A row before and after the change.
pub struct Change {
    pub before: CatalogRow,
    pub after: CatalogRow,
}

/// The table, index, view or sequence with this OID.
pub fn relation(oid: Oid) -> Option<Change> {
    let class = Catalog {
        table: pg_sys::RelationRelationId,
        index: pg_sys::ClassOidIndexId,
        cache: pg_sys::SysCacheIdentifier::RELOID as _,
        take: |row| {
            // SAFETY: a row of this catalog.
            let row = unsafe { &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_class>() };
            CatalogRow {
                name: row.relname,
                schema: row.relnamespace,
                permanent: row.relpersistence as u8 == pg_sys::RELPERSISTENCE_PERMANENT,
            }
        },
    };
    class.change(oid, None)
}

/// A column of a table.
pub fn column(table: Oid, number: i16) -> Option<Change> {
    let attribute = Catalog {
        table: pg_sys::AttributeRelationId,
        index: pg_sys::AttributeRelidNumIndexId,
        cache: pg_sys::SysCacheIdentifier::ATTNUM as _,
        take: |row| {
            // SAFETY: a row of this catalog.
            let row = unsafe { &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_attribute>() };
            plain(row.attname, Oid::INVALID)
        },
    };
    attribute.change(table, Some(number))
}

/// The function with this OID.
pub fn function(oid: Oid) -> Option<Change> {
    let procedure = Catalog {
        table: pg_sys::ProcedureRelationId,
        index: pg_sys::ProcedureOidIndexId,
        cache: pg_sys::SysCacheIdentifier::PROCOID as _,
        take: |row| {
            // SAFETY: a row of this catalog.
            let row = unsafe { &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_proc>() };
            plain(row.proname, row.pronamespace)
        },
    };
    procedure.change(oid, None)
}

/// The schema with this OID.
pub fn schema(oid: Oid) -> Option<Change> {
    let namespace = Catalog {
        table: pg_sys::NamespaceRelationId,
        index: pg_sys::NamespaceOidIndexId,
        cache: pg_sys::SysCacheIdentifier::NAMESPACEOID as _,
        take: |row| {
            // SAFETY: a row of this catalog.
            let row = unsafe { &*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_namespace>() };
            plain(row.nspname, Oid::INVALID)
        },
    };
    namespace.change(oid, None)
}

/// The table of a trigger that this statement creates.
pub fn table_of_new_trigger(trigger: Oid) -> Option<Oid> {
    let index = Oid::from(pg_sys::TriggerOidIndexId);
    scan(pg_sys::TriggerRelationId, index, trigger, None, |row| {
        // SAFETY: a row of this catalog.
        unsafe { (*pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_trigger>()).tgrelid }
    })
}

fn plain(name: NameData, schema: Oid) -> CatalogRow {
    CatalogRow {
        name,
        schema,
        permanent: true,
    }
}

/// A system catalog: where its rows are, and which columns to take.
struct Catalog {
    table: Oid,
    index: u32,
    cache: i32,
    take: fn(pg_sys::HeapTuple) -> CatalogRow,
}

impl Catalog {
    /// `None` if the row is new or gone.
    fn change(&self, oid: Oid, part: Option<i16>) -> Option<Change> {
        Some(Change {
            before: self.cached(oid, part)?,
            after: scan(self.table, Oid::from(self.index), oid, part, self.take)?,
        })
    }

    fn cached(&self, oid: Oid, part: Option<i16>) -> Option<CatalogRow> {
        let oid = Datum::from(oid);
        // SAFETY: the keys are those of the cache; the row is the server's until it is released.
        unsafe {
            let row = match part {
                None => pg_sys::SearchSysCache1(self.cache, oid),
                Some(part) => pg_sys::SearchSysCache2(self.cache, oid, Datum::from(part)),
            };
            (!row.is_null()).then(|| {
                let taken = (self.take)(row);
                pg_sys::ReleaseSysCache(row);
                taken
            })
        }
    }
}

/// The number of the column `attnum` of `pg_attribute`.
const ATTNUM: i16 = pg_sys::Anum_pg_attribute_attnum as i16;

/// Takes the columns of the row with this OID, in a scan that also sees what this command has
/// written.
fn scan<T>(
    catalog: Oid,
    index: Oid,
    oid: Oid,
    part: Option<i16>,
    take: fn(pg_sys::HeapTuple) -> T,
) -> Option<T> {
    let mut keys = [pg_sys::ScanKeyData::default(); 2];
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the index is one of the catalog, and these are the types of its columns. After an
    // error the server closes what is open.
    unsafe {
        guarded(|| {
            let equal = pg_sys::BTEqualStrategyNumber as u16;
            raw::ScanKeyInit(&mut keys[0], 1, equal, pg_sys::F_OIDEQ.into(), oid.into());
            if let Some(part) = part {
                raw::ScanKeyInit(
                    &mut keys[1],
                    ATTNUM,
                    equal,
                    pg_sys::F_INT2EQ.into(),
                    part.into(),
                );
            }
            let table = raw::table_open(catalog, lock);
            let everything = &raw mut pg_sys::SnapshotSelfData;
            let count = 1 + i32::from(part.is_some());
            let scan =
                raw::systable_beginscan(table, index, true, everything, count, keys.as_mut_ptr());
            let row = raw::systable_getnext(scan);
            let taken = (!row.is_null()).then(|| take(row));
            raw::systable_endscan(scan);
            raw::table_close(table, lock);
            taken
        })
    }
}
