//! The databases of the server, from the shared catalog.

use pgrx::pg_sys::{self, Oid};

/// The OIDs of all databases that allow connections. To be called in a transaction.
pub fn connectable() -> Vec<u32> {
    let mut found = Vec::new();
    // SAFETY: a scan of a system catalog with a snapshot of its own; every row is a pg_database,
    // of which only the columns of fixed width are read.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let table = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let (no_snapshot, no_keys) = (std::ptr::null_mut(), std::ptr::null_mut());
        let scan = pg_sys::systable_beginscan(table, Oid::INVALID, false, no_snapshot, 0, no_keys);
        loop {
            let row = pg_sys::systable_getnext(scan);
            if row.is_null() {
                break;
            }
            let database = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_database>();
            // Below -1, DROP DATABASE has begun to drop it.
            if (*database).datallowconn && (*database).datconnlimit >= -1 {
                found.push((*database).oid.to_u32());
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, lock);
    }
    found
}

/// Whether a role may connect to a database that allows connections. To be called in a transaction.
pub fn may_connect(database: Oid, role: Oid) -> bool {
    let mode = pg_sys::ACL_CONNECT;
    // SAFETY: any OIDs are allowed.
    #[cfg(feature = "pg15")]
    let result = unsafe { pg_sys::pg_database_aclcheck(database, role, mode) };
    // SAFETY: any OIDs are allowed.
    #[cfg(not(feature = "pg15"))]
    let result =
        unsafe { pg_sys::object_aclcheck(pg_sys::DatabaseRelationId, database, role, mode.into()) };
    result == pg_sys::AclResult::ACLCHECK_OK
}

/// Whether the current role may create a copy of this database.
pub fn may_copy(database: Oid) -> bool {
    may_create_databases() && (is_template(database) || is_mine(database))
}

fn is_template(database: Oid) -> bool {
    let cache = pg_sys::SysCacheIdentifier::DATABASEOID as _;
    // SAFETY: a row of the cache is a pg_database, given back after it was read.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(database));
        if row.is_null() {
            return false;
        }
        let found = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_database>();
        let is_template = (*found).datistemplate;
        pg_sys::ReleaseSysCache(row);
        is_template
    }
}

fn may_create_databases() -> bool {
    let cache = pg_sys::SysCacheIdentifier::AUTHOID as _;
    // SAFETY: a row of the cache is a pg_authid, given back after it was read.
    unsafe {
        if pg_sys::superuser() {
            return true;
        }
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(pg_sys::GetUserId()));
        if row.is_null() {
            return false;
        }
        let role = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_authid>();
        let may = (*role).rolcreatedb;
        pg_sys::ReleaseSysCache(row);
        may
    }
}

/// Whether the current role has the rights of the database's owner.
#[cfg(feature = "pg15")]
pub fn is_mine(database: Oid) -> bool {
    // SAFETY: any OID is allowed.
    unsafe { pg_sys::pg_database_ownercheck(database, pg_sys::GetUserId()) }
}

/// Whether the current role has the rights of the database's owner.
#[cfg(not(feature = "pg15"))]
pub fn is_mine(database: Oid) -> bool {
    // SAFETY: any OID is allowed.
    unsafe { pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, database, pg_sys::GetUserId()) }
}
