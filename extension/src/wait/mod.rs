//! `eventcore_wait`: a long poll for drivers and poolers without LISTEN.

pub mod standby;

use crate::error::{Error, Malformed, Unavailable};
use crate::pg::function::Call;
use crate::pg::relation::Use;
use crate::pg::transaction;
use crate::read::divergence;
use crate::registry::Registry;
use crate::tables::{Catalog, Events};
use std::time::Duration;

/// `eventcore_wait(after_position, timeout)`: returns the safe position as soon as it is above
/// `after_position`, or when the timeout is over.
pub fn wait(call: &Call<'_>) -> Result<i64, Error> {
    let after = call
        .bigint(0)
        .ok_or_else(|| Malformed::argument("after_position", "is NULL"))?;
    if after < 0 {
        return Err(Malformed::argument("after_position", "is negative").into());
    }
    let patience = patience(call, 1)?;
    if call.is_atomic() {
        return Err(Unavailable::TransactionBlock {
            what: "eventcore_wait",
        }
        .into());
    }
    let catalog = Catalog::load()?;
    let registry = Registry::open(&catalog)?;
    divergence::require_told(&registry, &Events::open(Use::Read)?, after)?;

    let mut found = Ok(0);
    registry
        .wake()
        .waiting
        .wait_until(patience, standby::watch(), || {
            standby::watch();
            registry.wake().count_check();
            found = registry.safe_position();
            // While it waits, it holds no snapshot and no lock, so VACUUM can remove dead rows.
            transaction::commit_and_begin();
            found.as_ref().map_or(true, |safe| *safe > after)
        });
    found
}

/// The argument `timeout`.
pub fn patience(call: &Call<'_>, argument: usize) -> Result<Duration, Error> {
    let micros = call
        .interval(argument)
        .ok_or_else(|| Malformed::argument("timeout", "is NULL"))?;
    let micros =
        u64::try_from(micros).map_err(|_| Malformed::argument("timeout", "is negative"))?;
    Ok(Duration::from_micros(micros))
}
