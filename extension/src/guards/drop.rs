//! Refuses to drop events or subscriptions by accident: DROP EXTENSION, and any other way to drop
//! the tables, fails while they contain rows.

use crate::error::Unavailable;
use crate::pg::raise::raise;
use crate::pg::relation::{self, Kind, Relation, Use};
use crate::pg::snapshot::Snapshot;
use crate::settings;
use pgrx::pg_sys::Oid;

/// Called before the server drops a table, an index or a sequence.
pub fn before_drop(dropped: Oid) {
    if settings::allows_drop() {
        return;
    }
    // By its extension, not by its name, which may have been changed.
    if relation::kind(dropped) == Some(Kind::Table)
        && relation::belongs_to_extension(dropped, c"eventcore")
        // The table of histories contains only positions, and has a row even if no event was ever
        // committed.
        && relation::column_number(dropped, c"reserved_position").is_none()
        && Relation::table(dropped, Use::Read).has_row(&Snapshot::latest())
    {
        raise(&Unavailable::HoldsEvents.into());
    }
}
