//! Handing a parked event to the handler again, in a transaction of its own that also removes it
//! from the parked events.

use super::batch::{self, EventBatch, FailureContext};
use super::definition::Definition;
use super::record;
use crate::error::Error;
use crate::pg::relation;
use crate::pg::scan::Direction;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::value::Text;
use crate::tables::Events;

/// Replays the event at this position. An event that no longer exists is no longer parked either.
pub fn run(
    definition: &Definition,
    name: Text<'_>,
    position: i64,
    context: &FailureContext,
) -> Result<(), Error> {
    context.replay.set(Some(position));
    let read = read(position)?;
    let fresh = ActiveSnapshot::push();
    batch::handle(definition, name, read, context)?;
    record::replayed(name, position)?;
    drop(fresh);
    Ok(())
}

fn read(position: i64) -> Result<EventBatch, Error> {
    let events = Events::to_read()?;
    relation::require_readable(events.catalog.objects.events);
    let range = (position - 1, position);
    let event = events.between(range, Direction::Forward, |scan| {
        scan.next().map(|row| row.composite())
    });
    Ok(EventBatch {
        events: event.into_iter().collect(),
        span: Some((position, position)),
        up_to: position,
        to_end: false,
        row_type: events.table.row_type(),
    })
}
