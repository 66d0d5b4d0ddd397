//! The histories of this store, and who comes from another one (SE011).
//!
//! `eventcore.history` has a row for each, which [`registry`](crate::registry) writes when one begins. A position after
//! the last that the old history reserved, and before the first of the next, was never told by this store. Nor was one
//! above all that was ever reserved. Both are certain proof. Between what both histories agree on and what the old one
//! had reserved the number proves nothing: there the id of the last event that was read does.

use crate::catalog::{BY_POSITION, Catalog, Events, column};
use crate::error::{Error, Unavailable};
use crate::filter::Filter;
use crate::pg::function::Call;
use crate::pg::insert::insert_for_good;
use crate::pg::relation::{Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::table_scan::for_each_row;
use crate::pg::transaction;
use crate::pg::value::Text;
use crate::registry::Registry;
use eventcore_rules::MAX_EVENTS_PASSED_OVER;
use eventcore_rules::history::{Cause, Origin, is_between};
use pgrx::pg_sys::{Datum, Oid};
use uuid::Uuid;

/// The columns of `eventcore.history`, in the order of the table.
mod place {
    pub const FIRST: i16 = 1;
    pub const RESERVED: i16 = 2;
    pub const AGREED: i16 = 3;
    pub const SYSTEM: i16 = 5;
    pub const TIMELINE: i16 = 6;
    pub const DATABASE: i16 = 7;
    pub const COUNT: usize = 8;
}

/// A history, as `eventcore.history` has it.
#[derive(Clone, Copy)]
pub struct History {
    /// Where it begins.
    pub first: i64,
    /// The last position that the one before had reserved.
    pub reserved: i64,
    /// Up to there both are the same.
    pub agreed: i64,
    /// Where it is written.
    pub origin: Origin,
}

/// `eventcore.history`, to read it or to add to it.
pub fn open(catalog: &Catalog, purpose: Use) -> Result<Relation, Error> {
    Ok(Relation::existing_table(catalog.history, purpose).ok_or(Unavailable::NotInstalled)?)
}

/// All histories that there are, in no order.
pub fn all(table: &Relation) -> Vec<History> {
    let mut found = Vec::new();
    for_each_row(table, &Snapshot::latest(), |row| {
        found.push(History {
            first: row.bigint(place::FIRST),
            reserved: row.bigint(place::RESERVED),
            agreed: row.bigint(place::AGREED),
            origin: Origin {
                system: row.bigint(place::SYSTEM),
                timeline: row.bigint(place::TIMELINE),
                database: row.oid(place::DATABASE),
            },
        });
    });
    found
}

/// Adds a history for good, whatever becomes of the transaction.
pub fn add(table: &Relation, history: &History, cause: Cause) {
    let values = [
        Datum::from(history.first),
        Datum::from(history.reserved),
        Datum::from(history.agreed),
        Datum::from(transaction::now()),
        Datum::from(history.origin.system),
        Datum::from(history.origin.timeline),
        Datum::from(Oid::from(history.origin.database)),
        Text::copy(cause.word().as_bytes()).datum(),
    ];
    insert_for_good::<{ place::COUNT }>(table, values.map(Some));
}

/// `eventcore.require_told(position, or_reserved)`.
pub fn require_told_to(call: &Call<'_>) -> Result<(), Error> {
    let after = call.bigint(0).unwrap_or(0);
    let events = Events::open(Use::Read)?;
    if call.boolean(1) == Some(true) {
        return require_told(&Registry::open(&events.catalog)?, &events, after);
    }
    require_in_a_history(after, &all(&open(&events.catalog, Use::Read)?))
}

/// Refuses a position that this store has never told (SE011).
pub fn require_told(registry: &Registry, events: &Events, after: i64) -> Result<(), Error> {
    require_same(registry, events, after, None)
}

/// The same for a reader that also says which event it has read last, with this filter.
pub fn require_same(
    registry: &Registry,
    events: &Events,
    after: i64,
    last_read: Option<(Uuid, &Filter<'_>)>,
) -> Result<(), Error> {
    if after <= 0 {
        return Ok(());
    }
    let histories = all(&open(&events.catalog, Use::Read)?);
    require_in_a_history(after, &histories)?;
    // On a standby more is on its way, and nobody knows how much.
    if !transaction::is_standby() {
        let reserved = registry.reserved(events, &histories);
        if after > reserved {
            let agreed = registry.agreed(events, &histories);
            return Err(diverged(after, agreed, reserved + 1));
        }
    }
    let in_doubt = histories
        .iter()
        .find(|history| history.agreed < after && after <= history.reserved);
    if let (Some(history), Some((event, filter))) = (in_doubt, last_read)
        && last_at(events, after, filter).is_some_and(|last| last != event)
    {
        return Err(diverged(after, history.agreed, history.first));
    }
    Ok(())
}

/// Refuses a position between two histories.
fn require_in_a_history(after: i64, histories: &[History]) -> Result<(), Error> {
    let between = histories
        .iter()
        .find(|history| is_between(after, history.reserved, history.first));
    between.map_or(Ok(()), |history| {
        Err(diverged(after, history.agreed, history.first))
    })
}

fn diverged(after: i64, agreed: i64, first: i64) -> Error {
    Error::Diverged {
        after,
        agreed,
        first,
    }
}

/// The id of the last event at or before a position that the filter lets through: nil where there is none, `None` where
/// it takes too long to find out.
fn last_at(events: &Events, position: i64, filter: &Filter<'_>) -> Option<Uuid> {
    let snapshot = Snapshot::latest();
    let by_position = events.by_position();
    let mut scan = IndexScan::new(&events.table, &by_position, &snapshot);
    scan.seek(
        &[Condition::BigintAtMost(BY_POSITION, position)],
        Direction::Backward,
    );
    for _ in 0..MAX_EVENTS_PASSED_OVER {
        match scan.next() {
            Some(row) if filter.admits(&row) => return Some(row.uuid(column::EVENT_ID)),
            Some(_) => {}
            None => return Some(Uuid::nil()),
        }
    }
    None
}
