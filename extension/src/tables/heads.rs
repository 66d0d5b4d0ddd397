//! The heads: the version of a stream, and the position of the last event.

use super::columns::{events as column, events_by_stream as by_stream};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::value::Text;
use crate::tables::Events;

/// The version of a stream, by a scan of the index by stream; 0 if it has no event.
pub fn version<'r>(scan: &mut IndexScan<'r>, stream: Text<'r>) -> i64 {
    scan.seek(
        &[Condition::TextEquals(by_stream::STREAM_ID, stream)],
        Direction::Backward,
    );
    scan.next().map_or(0, |row| row.bigint(column::VERSION))
}

/// The position of the last committed event; 0 if there is none.
pub fn last_position(events: &Events) -> i64 {
    let snapshot = Snapshot::latest();
    let by_position = events.by_position();
    let mut scan = IndexScan::new(&events.table, &by_position, &snapshot);
    scan.seek(&[], Direction::Backward);
    scan.next().map_or(0, |row| row.bigint(column::POSITION))
}
