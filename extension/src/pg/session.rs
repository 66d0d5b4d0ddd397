//! A background worker that has logged in as a role, as if that role had done so itself: its rights, its
//! settings, its limits, and nobody else to go back to.

use super::catch::ErrorSummary;
use super::ffi;
use super::process::{self, attempt};
use super::signals;
use super::transaction;
use crate::error::Error;
use pgrx::pg_sys::{self, Oid};
use std::ffi::{CStr, CString, c_int};

/// The session that this process is: of the role that it has logged in as.
pub struct Session(Oid);

impl Session {
    /// To be called first in the worker's function. The server ends the process where the role may not log
    /// in, or not to this database.
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
        Self(Oid::from(role))
    }

    /// Whose session it is.
    pub fn role(&self) -> Oid {
        self.0
    }

    /// Ends the process where something has taken on another role and kept it beyond its transaction. What runs for
    /// that role next could go back to this one.
    fn require_own_role(&self) {
        // SAFETY: no preconditions.
        let (session, current) = unsafe { (pg_sys::GetSessionUserId(), pg_sys::GetUserId()) };
        if session != self.0 || current != self.0 {
            transaction::log(
                "eventcore: a handler, or a trigger that it fired, has changed the role of the session: the \
                 projection worker starts anew",
            );
            process::end();
        }
    }

    /// Reads the configuration again if the server was extra_argument to.
    pub fn reload_settings(&self) {
        process::reload_settings();
    }

    /// Says what it does, in `pg_stat_activity`.
    pub fn report(&self, doing: &str) {
        let doing = CString::new(doing).unwrap_or_default();
        // SAFETY: a C string, of which the server makes a copy.
        unsafe {
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, doing.as_ptr());
        }
    }

    /// Says that it does nothing, and what it has done, for the statistics and for autovacuum.
    pub fn report_idle(&self) {
        // SAFETY: no transaction is open.
        unsafe {
            pg_sys::pgstat_report_stat(false);
            pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_IDLE, std::ptr::null());
        }
    }

    /// Runs `work` in a transaction of its own and commits it; rolls it back on an error.
    pub fn attempt<R>(&self, work: impl FnOnce() -> Result<R, Error>) -> Result<R, ErrorSummary> {
        self.require_own_role();
        attempt(work)
    }

    /// Takes back what the last transaction has left in the session, as DISCARD ALL does: settings, temporary
    /// tables, advisory locks, prepared statements, cursors, the last values of sequences. Plans are kept: they say nothing of
    /// what was done, and are expensive. Where that fails the session ends, and with it all of it.
    pub fn discard(&self) {
        // What follows runs as this role, or not at all.
        self.require_own_role();
        let done = attempt(|| {
            // SAFETY: we are in a transaction in which nothing else has been done.
            unsafe {
                if !pg_sys::ThereAreNoReadyPortals() {
                    pg_sys::PortalHashTableDeleteAll();
                }
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
                "eventcore: what a handler has left in its session cannot be removed ({}: {}): the projection worker \
                 starts anew",
                error.sqlstate, error.message
            ));
            process::end();
        }
    }
}

/// Runs a statement, which `statement_timeout` limits as it does those of clients.
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

/// Until the transaction ends, names without a schema are looked up in this one first.
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

/// The role whose rights the process has.
pub fn current_role() -> Oid {
    // SAFETY: no preconditions.
    unsafe { pg_sys::GetUserId() }
}

/// What a setting of type boolean says; `None` where it is none of the words for it.
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
