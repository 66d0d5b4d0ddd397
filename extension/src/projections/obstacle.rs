//! What keeps the projections of a role from running, as shown in
//! `eventcore.stat_projections.waits_for`.

use crate::error::Error;
use crate::pg::databases::may_connect;
use crate::pg::session::may_log_in;
use crate::pg::shared_memory::my_database;
use crate::pg::transaction;
use crate::processes::freeze::is_frozen;
use crate::registry::Registry;
use crate::settings;
use crate::tables::Catalog;
use pgrx::pg_sys::Oid;

const STANDBY: &str = "promotion of this standby";
const SWITCHED_OFF: &str = "eventcore.projection_workers above 0";
const NO_LOGIN: &str = "owner may not log in";
const NO_CONNECT: &str = "owner may not connect";
const READ_ONLY: &str = "read-only";
const IN_USE: &str = "exclusive use of the database";
const NO_NOTIFIER: &str = "no notifier";
const NO_WORKER: &str = "no free worker";

/// What keeps a worker from logging in as this role and writing, regardless of the workers. To be
/// called in a transaction.
pub fn of_role(role: Oid) -> Option<&'static str> {
    if !may_log_in(role) {
        Some(NO_LOGIN)
    } else if !may_connect(Oid::from(my_database()), role) {
        Some(NO_CONNECT)
    } else if is_frozen(role) {
        Some(READ_ONLY)
    } else {
        None
    }
}

/// What keeps the projections of this role from running now.
pub fn find(role: Oid) -> Result<Option<&'static str>, Error> {
    if transaction::is_standby() {
        return Ok(Some(STANDBY));
    }
    if settings::projection_workers() == 0 {
        return Ok(Some(SWITCHED_OFF));
    }
    if let Some(obstacle) = of_role(role) {
        return Ok(Some(obstacle));
    }
    let registry = Registry::open(&Catalog::load()?)?;
    let wake = registry.wake();
    Ok(if wake.is_away() {
        Some(IN_USE)
    } else if !wake.has_notifier() {
        Some(NO_NOTIFIER)
    } else if wake.lacks_workers() {
        Some(NO_WORKER)
    } else {
        None
    })
}
