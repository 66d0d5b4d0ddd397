//! Which database this is. Rows that say what a database does carry its number; with any other number they are copies
//! of those of another database, which does it.

use crate::pg::sequence;
use crate::tables::Catalog;

/// The number of this database, which CREATE EXTENSION has drawn.
pub fn home_id(catalog: &Catalog) -> i64 {
    sequence::last_value(catalog.home_id).unwrap_or(0)
}
