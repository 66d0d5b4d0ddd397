//! Frozen databases: if `default_transaction_read_only` is on for the server, the database or a
//! role, no process of the extension writes on its own.
//!
//! A session takes the settings of its database and its role only when it begins. The background
//! processes live for days, so they check which settings a new session would get.

use super::launcher_latch;
use crate::pg::relation::{Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::session::parse_boolean;
use crate::pg::shared_memory::my_database;
use crate::pg::snapshot::Snapshot;
use pgrx::pg_sys::Oid;

/// The OIDs of `pg_db_role_setting` and its index, and the columns. The index has the same column
/// numbers.
const SETTINGS: u32 = 2964;
const BY_DATABASE_AND_ROLE: u32 = 2965;
const DATABASE: i16 = 1;
const ROLE: i16 = 2;
const SETTING: i16 = 3;

const NAME: &[u8] = b"default_transaction_read_only=";

/// Whether a new session of this role in this database would be read-only. To be called in a
/// transaction.
pub fn is_frozen(role: Oid) -> bool {
    let table = Relation::table(Oid::from(SETTINGS), Use::Read);
    let index = Relation::index(Oid::from(BY_DATABASE_AND_ROLE), Use::Read);
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&table, &index, &snapshot);
    let database = Oid::from(my_database());
    // The most specific setting wins, as for sessions.
    let all = Oid::INVALID;
    for (database, role) in [(database, role), (all, role), (database, all), (all, all)] {
        let conditions = [
            Condition::OidEquals(DATABASE, database),
            Condition::OidEquals(ROLE, role),
        ];
        scan.seek(&conditions, Direction::Forward);
        let settings = scan.next().and_then(|row| row.text_array(SETTING));
        if let Some(settings) = settings {
            let found = (0..settings.0.len())
                .filter_map(|number| settings.get(number))
                .find_map(|setting| setting.bytes().strip_prefix(NAME).and_then(parse_boolean));
            if let Some(read_only) = found {
                return read_only;
            }
        }
    }
    launcher_latch::is_server_read_only()
}
