//! A parked event, handed to the handler again: in a transaction of its own, in which it ceases to be parked.

use super::batch::{self, Read, Trail};
use super::definition::Definition;
use super::record;
use crate::error::Error;
use crate::pg::relation;
use crate::pg::scan::Direction;
use crate::pg::snapshot::Fresh;
use crate::pg::value::Text;
use crate::tables::Events;

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
    relation::require_readable(events.catalog.objects.events);
    let range = (position - 1, position);
    let event = events.between(range, Direction::Forward, |scan| {
        scan.next().map(|row| row.composite())
    });
    Ok(Read {
        events: event.into_iter().collect(),
        span: Some((position, position)),
        up_to: position,
        to_end: false,
        row_type: relation::row_type(events.catalog.objects.events),
    })
}
