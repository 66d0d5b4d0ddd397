//! Logical replication into the tables of the extension. The publisher gives out the positions: an
//! append here would take a position that arrives later, and stop the replication.

use crate::error::{Error, Unavailable};
use crate::pg::relation::{Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::transaction;
use crate::tables::Catalog;
use pgrx::pg_sys::Oid;
use std::cell::Cell;

/// `pg_subscription_rel` and one of its columns, its index and the column of that.
const TABLES: u32 = 6102;
const SUBSCRIPTION: i16 = 1;
const BY_TABLE: u32 = 6117;
const TABLE: i16 = 1;

/// `pg_subscription`, its index, and its columns.
const SUBSCRIPTIONS: u32 = 6100;
const BY_OID: u32 = 6114;
const OID: i16 = 1;
const ENABLED: i16 = 6;

thread_local! {
    /// Whether events arrive here; `None` after a subscription of the server has changed.
    static ARRIVES: Cell<Option<bool>> = const { Cell::new(None) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    /// How many changes of subscriptions this backend has heard of.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// SE009 if an enabled subscription brings events or the states of streams. Looked up once per
/// backend, and again after any subscription has changed.
pub fn require_no_publisher(catalog: &Catalog) -> Result<(), Error> {
    let arrives = match ARRIVES.get() {
        Some(arrives) => arrives,
        None => look_up(catalog),
    };
    match arrives {
        true => Err(Unavailable::Replicating.into()),
        false => Ok(()),
    }
}

fn look_up(catalog: &Catalog) -> bool {
    if !WATCHING.replace(true) {
        transaction::on_subscription_change(forget);
    }
    let changes = CHANGES.get();
    let arrives = arrives(catalog.objects.events) || arrives(catalog.objects.streams);
    // A change that arrives during the look-up requires another look-up.
    if changes == CHANGES.get() {
        ARRIVES.set(Some(arrives));
    }
    arrives
}

/// Whether an enabled subscription brings the rows of this table, also while it copies them first.
fn arrives(table: Oid) -> bool {
    let tables = Relation::table(Oid::from(TABLES), Use::Read);
    let by_table = Relation::index(Oid::from(BY_TABLE), Use::Read);
    let subscriptions = Relation::table(Oid::from(SUBSCRIPTIONS), Use::Read);
    let by_oid = Relation::index(Oid::from(BY_OID), Use::Read);
    let snapshot = Snapshot::latest();
    let mut of_table = IndexScan::new(&tables, &by_table, &snapshot);
    let mut subscription = IndexScan::new(&subscriptions, &by_oid, &snapshot);
    of_table.seek(&[Condition::OidEquals(TABLE, table)], Direction::Forward);
    while let Some(row) = of_table.next() {
        subscription.seek(
            &[Condition::OidEquals(OID, row.oid(SUBSCRIPTION))],
            Direction::Forward,
        );
        if subscription.next().is_some_and(|row| row.boolean(ENABLED)) {
            return true;
        }
    }
    false
}

fn forget() {
    CHANGES.set(CHANGES.get().wrapping_add(1));
    ARRIVES.set(None);
}
