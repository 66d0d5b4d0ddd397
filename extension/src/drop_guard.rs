//! Refusing to drop events by accident: DROP EXTENSION, and every other way to drop their table,
//! fails as long as there are any.

use crate::catalog::Catalog;
use crate::error::Unavailable;
use crate::pg::raise::raise;
use crate::{heads, settings};
use pgrx::pg_sys::Oid;

/// Called before the server drops a table, an index or a sequence.
pub fn before_drop(relation: Oid) {
    if settings::allows_drop() {
        return;
    }
    // Where the extension is not installed there is nothing to guard.
    let Ok(catalog) = Catalog::load() else { return };
    // Any of our relations: the indexes go before their table, and with them the way to look.
    if catalog.has(relation) && heads::last_position(&catalog) > 0 {
        raise(&Unavailable::HoldsEvents.into());
    }
}
