//! A parked event, handed to the handler again: in a transaction of its own, in which it ceases to be parked.

use super::batch::{self, Read, Trail};
use super::definition::Definition;
use super::record;
use crate::error::Error;
use crate::pg::relation;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::{Fresh, Snapshot};
use crate::pg::value::Text;
use crate::tables::{BY_POSITION, Events};

/// Replays the event at this position. One that is not there any more is not parked any more either.
pub fn run(
    definition: &Definition,
    name: Text<'_>,
    position: i64,
    trail: &Trail,
) -> Result<(), Error> {
    trail.replay.set(Some(position));
    let read = read(position)?;
    let fresh = Fresh::push();
    batch::handle(definition, name, read, trail)?;
    record::replayed(name, position)?;
    drop(fresh);
    Ok(())
}

fn read(position: i64) -> Result<Read, Error> {
    let events = Events::to_read()?;
    relation::require_readable(events.catalog.events);
    let snapshot = Snapshot::latest();
    let by_position = events.by_position();
    let mut scan = IndexScan::new(&events.table, &by_position, &snapshot);
    let range = [
        Condition::BigintAbove(BY_POSITION, position - 1),
        Condition::BigintAtMost(BY_POSITION, position),
    ];
    scan.seek(&range, Direction::Forward);
    Ok(Read {
        events: scan.next().map(|row| row.composite()).into_iter().collect(),
        span: Some((position, position)),
        up_to: position,
        to_end: false,
        row_type: relation::row_type(events.catalog.events),
    })
}
