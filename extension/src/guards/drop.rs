//! Refusing to drop events or subscriptions by accident: DROP EXTENSION, and every other way to drop the tables,
//! fails as long as there are rows in them.

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
    // By who owns it, not by its name, which may have been changed.
    if relation::kind(dropped) == Some(Kind::Table)
        && relation::belongs_to_extension(dropped, c"eventcore")
        // The table of histories speaks of positions only, and has a row also where no event was ever committed.
        && relation::column_number(dropped, c"reserved_position").is_none()
        && Relation::table(dropped, Use::Read).has_row(&Snapshot::latest())
    {
        raise(&Unavailable::HoldsEvents.into());
    }
}
