//! Writing the events of an append after all checks.

use super::appended::Appended;
use super::request::Request;
use crate::error::Error;
use crate::pg::indexes::Indexes;
use crate::pg::insert::{Columns, insert_rows};
use crate::pg::transaction;
use crate::pg::value::uuid_datum;
use crate::registry::Registry;
use crate::tables::Events;
use crate::tables::columns::events as column;
use pgrx::pg_sys::Datum;
use uuid::Uuid;

/// Draws positions and writes the rows. `heads` are the versions of the declared streams, which are
/// locked.
pub fn write(
    registry: &Registry,
    events: &Events,
    indexes: &Indexes,
    request: &Request<'_>,
    mut heads: Vec<i64>,
) -> Result<Appended, Error> {
    let count = request.events.len();
    let versions_and_ids: Vec<(i64, Uuid)> = request
        .events
        .iter()
        .map(|event| {
            heads[event.stream] += 1;
            let id = event.id.unwrap_or_else(Uuid::now_v7);
            (heads[event.stream], id)
        })
        .collect();
    let first = registry.draw(events, count)?;
    let recorded_at = transaction::now();

    let make = |row: usize| {
        let event = &request.events[row];
        let (version, id) = &versions_and_ids[row];
        let mut columns: Columns<{ column::COUNT }> = [None; column::COUNT];
        let mut set = |number: i16, value| columns[number as usize - 1] = value;
        set(column::POSITION, Some(Datum::from(first + row as i64)));
        set(column::VERSION, Some(Datum::from(*version)));
        set(column::RECORDED_AT, Some(Datum::from(recorded_at)));
        set(column::EVENT_ID, Some(uuid_datum(id)));
        set(
            column::STREAM_ID,
            Some(request.streams[event.stream].stream.datum()),
        );
        set(column::EVENT_TYPE, Some(event.event_type.datum()));
        set(column::PAYLOAD, Some(event.payload.datum()));
        set(
            column::METADATA,
            event.metadata.map(|metadata| metadata.datum()),
        );
        set(column::CORRELATION_ID, request.correlation.datum(row));
        set(column::CAUSATION_ID, request.causation.datum(row));
        columns
    };
    insert_rows(&events.table, indexes, count, make);
    // Otherwise a second append in the same statement would not see these rows.
    transaction::end_command();

    Ok(Appended {
        positions: Some((first, first + count as i64 - 1)),
        versions: heads,
        recorded_at,
        repeated: false,
    })
}
