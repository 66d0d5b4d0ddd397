//! The functions behind the monitoring views `eventcore.stat_…`. They read only shared memory, so
//! their cost does not depend on the number of events.

use crate::error::Error;
use crate::pg::function::{Call, Returned};
use crate::pg::shared_memory::my_database;
use crate::pg::value::Text;
use crate::processes;
use crate::registry::{Outcome, Registry};
use crate::tables::Catalog;
use pgrx::pg_sys::{Datum, Oid};

/// `eventcore.stat_get_appends()`: one row.
pub fn appends(call: &Call<'_>) -> Returned {
    let counted = registry()?.counts().get();
    Ok(Some(call.row([
        Some(Datum::from(counted.appends)),
        Some(Datum::from(counted.events)),
        Some(Datum::from(counted.conflicts)),
        Some(Datum::from(counted.repeats)),
        Some(Datum::from(counted.rolled_back)),
        Some(Datum::from(counted.since)),
    ])))
}

/// `eventcore.stat_get_executions()`: one row.
pub fn executions(call: &Call<'_>) -> Returned {
    let counts = registry()?.executions();
    let count = |outcome| Some(Datum::from(counts.get(outcome)));
    Ok(Some(call.row([
        count(Outcome::Executed),
        count(Outcome::Repeated),
        count(Outcome::Rejected),
        count(Outcome::Conflicted),
        count(Outcome::Failed),
        Some(Datum::from(counts.since())),
    ])))
}

/// `eventcore.stat_get_inflight()`: a row for every transaction that holds positions, and one for
/// the synchronous standbys if readers wait for them.
pub fn inflight(call: &Call<'_>) -> Result<(), Error> {
    let registry = registry()?;
    // Otherwise a standby that went away or came back might not have been noticed yet.
    registry.safe_position()?;
    let held: Vec<_> = registry.held().collect();
    let standbys = registry.held_for_standbys();
    // Readers wait for the lowest of these positions.
    let lowest = held.iter().map(|held| held.lowest).min();
    let mut rows = call.rows();
    for held in held {
        rows.push(
            [
                Datum::from(held.pid),
                Datum::from(held.lowest),
                Datum::from(Some(held.lowest) == lowest && standbys.is_none()),
                Datum::from(held.since),
                Text::copy(b"transaction").datum(),
            ],
            [false; 5],
        );
    }
    if let Some((told, since)) = standbys {
        rows.push(
            [
                Datum::null(),
                Datum::from(told + 1),
                Datum::from(true),
                Datum::from(since),
                Text::copy(b"standby").datum(),
            ],
            [true, false, false, false, false],
        );
    }
    Ok(())
}

/// `eventcore.stat_get_notifier()`: one row.
pub fn notifier(call: &Call<'_>) -> Returned {
    let registry = registry()?;
    let wake = registry.wake();
    let announced = registry.announcements().get();
    let pid = wake.notifier_pid();
    let state = Text::copy(wake.state().as_bytes());
    Ok(Some(call.row([
        pid.map(Datum::from),
        Some(state.datum()),
        pid.map(|_| Datum::from(announced.started_at)),
        Some(Datum::from(announced.count)),
        announced.last.map(|(position, _)| Datum::from(position)),
        announced.last.map(|(_, at)| Datum::from(at)),
        Some(Datum::from(wake.is_pending())),
    ])))
}

/// `eventcore.stat_get_workers()`: a row for each background process that serves this database or
/// has failed there.
pub fn workers(call: &Call<'_>) -> Result<(), Error> {
    let mut rows = call.rows();
    for shown in processes::list(my_database()) {
        if shown.pid.is_none() && shown.failures == 0 && shown.projection.is_none() {
            continue;
        }
        let text = |text: &str| Text::copy(text.as_bytes()).datum();
        let (at, sqlstate, error) = match &shown.last {
            Some((at, sqlstate, error)) => (Some(*at), Some(sqlstate), Some(error)),
            None => (None, None, None),
        };
        let columns = [
            Some(text(shown.kind)),
            shown.pid.map(Datum::from),
            (shown.role != 0).then(|| Datum::from(Oid::from(shown.role))),
            Some(Datum::from(shown.since)),
            shown.projection.as_deref().map(text),
            Some(Datum::from(shown.failures)),
            sqlstate.map(|sqlstate| text(sqlstate)),
            error.map(|error| text(error)),
            at.map(Datum::from),
        ];
        rows.push(
            columns.map(|column| column.unwrap_or(Datum::null())),
            columns.map(|column| column.is_none()),
        );
    }
    Ok(())
}

fn registry() -> Result<Registry, Error> {
    Registry::open(&Catalog::load()?)
}
