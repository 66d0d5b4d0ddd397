//! A background worker that has logged in as a role, as if the role had done so itself: with its
//! rights, its settings and its limits, and without another role to return to.

use super::catch::ErrorSummary;
use super::ffi;
use super::process::{self, attempt};
use super::raw;
use super::signals;
use super::transaction;
use crate::error::Error;
use pgrx::pg_sys::{self, Oid};
use std::ffi::{CStr, CString, c_int};

/// The session of this process. It contains the role that it has logged in as.
pub struct Session(Oid);

impl Session {
    /// To be called first in the main function of a worker. The server ends the process if the role
    /// may not log in, or not to this database.
    pub fn log_in(database: u32, role: u32) -> Self {
        signals::handle();
        // SAFETY: the process is a background worker that asked for a connection, and has none yet.
        unsafe {
            pg_sys::BackgroundWorkerInitializeConnectionByOid(
                Oid::from(database),
                Oid::from(role),
                0,
            );
        }
        process::override_settings(&[
            (c"default_transaction_read_only", c"off"),
            (c"default_transaction_isolation", c"read committed"),
            (c"default_transaction_deferrable", c"off"),
            // `ALTER ROLE … SET role`.
            (c"role", c"none"),
        ]);
        process::override_settings(process::NO_LIMIT_OF_TRANSACTIONS);
        Self(Oid::from(role))
    }

    /// The role of the session.
    pub fn role(&self) -> Oid {
        self.0
    }

    /// Ends the process if a transaction has left it with another role. Code that runs for that
    /// role next could return to this one.
    fn require_own_role(&self) {
        // SAFETY: no preconditions.
        let (session, current) = unsafe { (pg_sys::GetSessionUserId(), pg_sys::GetUserId()) };
        if session != self.0 || current != self.0 {
            transaction::log(
                "eventcore: a handler, or a trigger that it fired, has changed the role of its session; the projection \
                 worker restarts",
            );
            process::end();
        }
    }

    /// Reads the configuration again if that is due.
    pub fn reload_settings(&self) {
        process::reload_settings();
    }

    /// Reports what it does, for `pg_stat_activity`.
    pub fn report(&self, doing: &str) {
        let doing = CString::new(doing).unwrap_or_default();
        // SAFETY: a C string, of which the server makes a copy.
        unsafe {
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, doing.as_ptr());
        }
    }

    /// Reports that it is idle, and its statistics, also for autovacuum.
    pub fn report_idle(&self) {
        // SAFETY: no transaction is open.
        unsafe {
            pg_sys::pgstat_report_stat(false);
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
        }
    }

    /// Runs `work` in a transaction of its own and commits it, or rolls it back after an error.
    pub fn attempt<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
        self.require_own_role();
        attempt(work)
    }

    /// Resets what the last transaction has left in the session, as DISCARD ALL does: settings,
    /// temporary tables, advisory locks, prepared statements, cursors, the last values of
    /// sequences. Plans are kept, because they reveal nothing and are expensive. If this fails, the
    /// process ends.
    pub fn discard(&self) {
        // What follows must run as this role.
        self.require_own_role();
        let done = attempt(|| {
            // SAFETY: we are in a transaction in which nothing else has been done.
            unsafe {
                pg_sys::PortalHashTableDeleteAll();
                pg_sys::ResetAllOptions();
                pg_sys::DropAllPreparedStatements();
                let user_locks = pg_sys::USER_LOCKMETHOD as pg_sys::LOCKMETHODID;
                pg_sys::LockReleaseAll(user_locks, true);
                pg_sys::ResetTempTableNamespace();
                ffi::forget_sequences();
            }
            Ok(())
        });
        if let Err(error) = done {
            transaction::log(&format!(
                "eventcore: could not reset the session of a projection worker ({}: {}); the worker restarts",
                error.sqlstate, error.message
            ));
            process::end();
        }
    }
}

/// Runs a statement under `statement_timeout`, as for clients.
pub fn as_statement<R>(statement: impl FnOnce() -> R) -> R {
    // SAFETY: a variable of the server.
    let limit = unsafe { pg_sys::StatementTimeout };
    if limit <= 0 {
        return statement();
    }
    ffi::begin_statement_timeout(limit);
    let result = statement();
    ffi::end_statement_timeout();
    result
}

/// Puts a schema first on `search_path` until the transaction ends.
pub fn search_first(schema: &str) {
    let schema = CString::new(schema).unwrap_or_default();
    // SAFETY: C strings, of which the server makes copies; every role may change this setting.
    unsafe {
        let set = pg_sys::GetConfigOption(c"search_path".as_ptr(), false, false);
        let set = CStr::from_ptr(set).to_string_lossy();
        let first = CStr::from_ptr(pg_sys::quote_identifier(schema.as_ptr())).to_string_lossy();
        let path = match set.trim() {
            "" => first.into_owned(),
            set => format!("{first}, {set}"),
        };
        let path = CString::new(path).unwrap_or_default();
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            path.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            0,
            false,
        );
    }
}

/// The current role, whose rights the process has.
pub fn current_role() -> Oid {
    // SAFETY: no preconditions.
    unsafe { raw::GetUserId() }
}

/// Parses a boolean setting; `None` if it is not one.
pub fn parse_boolean(word: &[u8]) -> Option<bool> {
    let word = CString::new(word).ok()?;
    let mut value = false;
    // SAFETY: a C string, and a place for the result.
    unsafe { pg_sys::parse_bool(word.as_ptr(), &mut value) }.then_some(value)
}

/// Whether `default_transaction_read_only` is on in this process.
pub fn is_read_only_by_default() -> bool {
    // SAFETY: a variable of the server, read on its only thread.
    unsafe { pg_sys::DefaultXactReadOnly }
}

/// Whether a role exists and may log in. To be called in a transaction.
pub fn may_log_in(role: Oid) -> bool {
    let cache = pg_sys::SysCacheIdentifier::AUTHOID as c_int;
    // SAFETY: a row of the cache is a pg_authid, given back after it was read.
    unsafe {
        let row = pg_sys::SearchSysCache1(cache, pg_sys::Datum::from(role));
        if row.is_null() {
            return false;
        }
        let role = pg_sys::GETSTRUCT(row).cast::<pg_sys::FormData_pg_authid>();
        let may = (*role).rolcanlogin;
        pg_sys::ReleaseSysCache(row);
        may
    }
}
