//! `eventcore.history`: a row for each history of this store. The registry adds one when a history
//! begins.

use super::Catalog;
use super::columns::history as column;
use crate::error::{Error, Unavailable};
use crate::pg::insert::insert_frozen;
use crate::pg::relation::{Relation, Use};
use crate::pg::snapshot::Snapshot;
use crate::pg::table_scan::for_each_row;
use crate::pg::transaction;
use crate::pg::value::Text;
use eventcore_rules::history::{Cause, Origin};
use pgrx::pg_sys::{Datum, Oid};

/// A row of `eventcore.history`.
#[derive(Clone, Copy)]
pub struct History {
    /// The first position of this history.
    pub first: i64,
    /// The last position that the previous history had reserved.
    pub reserved: i64,
    /// Both histories are the same up to this position.
    pub agreed: i64,
    /// The server and the database that write this history.
    pub origin: Origin,
}

/// Opens the table.
pub fn open(catalog: &Catalog, purpose: Use) -> Result<Relation, Error> {
    Ok(Relation::existing_table(catalog.objects.history, purpose)
        .ok_or(Unavailable::NotInstalled)?)
}

/// All histories, in no order.
pub fn all(table: &Relation) -> Vec<History> {
    let mut found = Vec::new();
    for_each_row(table, &Snapshot::latest(), |row| {
        found.push(History {
            first: row.bigint(column::FIRST_POSITION),
            reserved: row.bigint(column::RESERVED_POSITION),
            agreed: row.bigint(column::AGREED_POSITION),
            origin: Origin {
                system: row.bigint(column::SYSTEM),
                timeline: row.bigint(column::TIMELINE),
                database: row.oid(column::DATABASE),
            },
        });
    });
    found
}

/// Adds a history. It stays even if the transaction is rolled back.
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
    insert_frozen::<{ column::COUNT }>(table, values.map(Some));
}
