//! Opening the other tables.

use super::Catalog;
use super::objects::Objects;
use super::release;
use crate::error::{Error, Unavailable};
use crate::pg::relation::{Relation, Use};
use pgrx::pg_sys::Oid;

/// `eventcore.commands`, and its index by name.
pub fn commands() -> Result<(Relation, Relation), Error> {
    let (table, catalog) = open_existing(Catalog::load, |objects| objects.commands, Use::Read)?;
    let by_name = Relation::index(catalog.objects.commands_by_name, Use::Read);
    Ok((table, by_name))
}

/// `eventcore.executions` for writing, and the OID of its index by command and key.
pub fn executions() -> Result<(Relation, Oid), Error> {
    let (table, catalog) = open_existing(Catalog::load, |objects| objects.executions, Use::Write)?;
    Ok((table, catalog.objects.executions_by_key))
}

/// `eventcore.command_states` for writing, and its index by command, stream and role; `None` if
/// another transaction has locked the table.
pub fn command_states() -> Result<Option<(Relation, Relation)>, Error> {
    let seen = Catalog::load()?.objects.command_states;
    let Some(table) = Relation::try_table(seen, Use::Write) else {
        return Ok(None);
    };
    let catalog = Catalog::load()?;
    Ok((catalog.objects.command_states == seen).then(|| {
        let by_key = Relation::index(catalog.objects.command_states_by_key, Use::Read);
        (table, by_key)
    }))
}

/// `eventcore.subscriptions` for writing, and its index by name.
pub fn subscriptions() -> Result<(Relation, Relation), Error> {
    let table = |objects: &Objects| objects.subscriptions;
    let (table, catalog) = open_existing(Catalog::load, table, Use::Write)?;
    let by_name = optional_index(catalog.objects.subscriptions_by_name, Use::Write)?;
    Ok((table, by_name))
}

/// `eventcore.projections`, and its index by name.
pub fn projections(purpose: Use) -> Result<(Relation, Relation), Error> {
    let (table, catalog) = open_existing(Catalog::load, |objects| objects.projections, purpose)?;
    let by_name = optional_index(catalog.objects.projections_by_name, purpose)?;
    Ok((table, by_name))
}

/// `eventcore.projection_parked`, and its primary key, by projection and position.
pub fn projection_parked(purpose: Use) -> Result<(Relation, Relation), Error> {
    let table = |objects: &Objects| objects.projection_parked;
    let (table, catalog) = open_existing(Catalog::load, table, purpose)?;
    let by_key = optional_index(catalog.objects.projection_parked_by_key, purpose)?;
    Ok((table, by_key))
}

/// `eventcore.projection_parked`, and its index of the events that should be replayed.
pub fn projection_parked_to_replay() -> Result<(Relation, Relation), Error> {
    let table = |objects: &Objects| objects.projection_parked;
    let (table, catalog) = open_existing(Catalog::load, table, Use::Read)?;
    let to_replay = optional_index(catalog.objects.projection_parked_to_replay, Use::Read)?;
    Ok((table, to_replay))
}

fn optional_index(index: Oid, purpose: Use) -> Result<Relation, Error> {
    if index == Oid::INVALID {
        return Err(release::differs(Unavailable::NotInstalled));
    }
    Ok(Relation::index(index, purpose))
}

/// Opens a table, with the OIDs that are valid while it is open.
pub(super) fn open_existing(
    load: impl Fn() -> Result<Catalog, Error>,
    table: impl Fn(&Objects) -> Oid,
    purpose: Use,
) -> Result<(Relation, Catalog), Error> {
    loop {
        let seen = table(&load()?.objects);
        let opened = Relation::existing_table(seen, purpose);
        let catalog = load()?;
        match opened {
            Some(opened) if table(&catalog.objects) == seen => return Ok((opened, catalog)),
            // The extension was dropped and created again while this waited for the lock.
            _ if table(&catalog.objects) != seen => {}
            _ => return Err(release::differs(Unavailable::NotInstalled)),
        }
    }
}
