//! Inline projections: handlers that run in the transaction of the append, once its events are
//! written.

use super::definition::{self, Definition};
use crate::error::{Error, Unavailable};
use crate::guards::reentry::{Context, ContextGuard};
use crate::pg::array::row_array;
use crate::pg::environment::Environment;
use crate::pg::memory::ScratchMemory;
use crate::pg::scan::Direction;
use crate::pg::snapshot::ActiveSnapshot;
use crate::pg::transaction;
use crate::tables::Events;

/// Calls the handlers for the events that were just written. Their errors reach the caller of the
/// append.
pub fn project(events: &Events, first: i64, last: i64) -> Result<(), Error> {
    let all = definition::inline()?;
    if all.is_empty() {
        return Ok(());
    }
    if let Some(copied) = all.iter().find(|one| one.copied) {
        return Err(Unavailable::copied("projection", &copied.name).into());
    }
    let _context = ContextGuard::enter(Context::Projection);
    for one in all.iter() {
        call(one, events, first, last)?;
    }
    Ok(())
}

fn call(definition: &Definition, events: &Events, first: i64, last: i64) -> Result<(), Error> {
    let filter = definition.filter();
    let mut rows = Vec::new();
    events.between((first - 1, last), Direction::Forward, |scan| {
        while let Some(row) = scan.next() {
            if filter.admits(&row) {
                rows.push(row.composite());
            }
        }
    });
    if rows.is_empty() {
        return Ok(());
    }
    let row_type = events.table.row_type();
    let mut handler = definition.open_handler(row_type)?;
    let fresh = ActiveSnapshot::push_unless_kept();
    let environment = Environment::enter(&definition.settings, "projection", &definition.name);
    if definition.takes_array {
        handler.perform_on(row_array(row_type, &rows));
        transaction::end_command();
    } else {
        let memory = ScratchMemory::new();
        for row in rows {
            memory.during(|| handler.perform_on(row));
            transaction::end_command();
        }
    }
    environment.leave();
    drop(fresh);
    Ok(())
}
