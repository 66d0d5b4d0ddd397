//! The tests of the example that need no PostgreSQL: the rules, and the whole service in memory.
//! `tests/orders` of the workspace runs the same suite on PostgreSQL.

mod domain;
#[macro_use]
mod suite;

use eventcore::InMemoryEventStore;
use orders::store::Store;

suite!(crate::suite::support::Ground::new(Store::Memory(
    InMemoryEventStore::new()
)));
