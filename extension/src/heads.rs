//! The heads: the version that a stream is at, and the last position of all.

use crate::catalog::{Catalog, by_stream, column};
use crate::pg::relation::{Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::value::Text;

/// The version of a stream, by a scan of the index by stream; 0 if it has no event.
pub fn version<'r>(scan: &mut IndexScan<'r>, stream: Text<'r>) -> i64 {
    scan.seek(
        &[Condition::TextEquals(by_stream::STREAM_ID, stream)],
        Direction::Backward,
    );
    scan.next().map_or(0, |row| row.bigint(column::VERSION))
}

/// The position of the last event that is committed, 0 if there is none.
pub fn last_position(catalog: &Catalog) -> i64 {
    let snapshot = Snapshot::latest();
    let events = Relation::table(catalog.events, Use::Read);
    let by_position = Relation::index(catalog.events_by_position, Use::Read);
    let mut scan = IndexScan::new(&events, &by_position, &snapshot);
    scan.seek(&[], Direction::Backward);
    scan.next().map_or(0, |row| row.bigint(column::POSITION))
}
