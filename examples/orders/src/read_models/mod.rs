//! The read models: orders, customers, and products with their demand and stock.
//!
//! There are three ways to keep them, with the same result: a projection of the client in memory, a
//! projection of the client in tables, and a projection inside the server in the same tables.

mod client;
mod follow;
mod memory;
mod order_row;
mod postgres;
mod query;
mod rebuild;
mod rows;
mod server;
mod tally;

use eventcore::Filter;

pub use follow::Status;
pub use memory::Views;
pub use query::{CustomerOrder, OrderQuery, OrderView, ProductOrder};
pub use rows::{Cursor, CustomerRow, OrderCounts, OrderPage, ProductRow, Statistics};

use crate::domain::{OrderId, PRODUCT_PREFIXES};
use crate::store::Store;

/// The name of the projection, in each of the three ways.
pub const NAME: &str = "shop";

/// Where the read models are kept.
#[derive(Clone)]
pub enum ReadModels {
    /// In maps of this process.
    Memory(eventcore::InMemoryEventStore, Views),
    /// In tables that this program writes.
    Client(eventcore::PostgresEventStore),
    /// In tables that the server writes.
    Server(eventcore::PostgresEventStore),
}

/// Why the read models cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] eventcore::StoreError),
    /// A statement failed.
    #[error("the read models cannot be read")]
    Sql(#[from] eventcore::postgres::tokio_postgres::Error),
    /// A row is none of ours.
    #[error("a row of the read models cannot be understood: {0}")]
    Row(String),
    /// They are behind, and did not catch up in time.
    #[error("the read models are behind")]
    Late,
    /// A rebuild is under way.
    #[error("a rebuild is under way")]
    Rebuilding,
}

impl ReadModels {
    /// Those of this store; in PostgreSQL written by the server or by this program.
    ///
    /// # Errors
    ///
    /// Never: see [`Views::new`].
    pub fn of(store: &Store, in_server: bool) -> Result<Self, eventcore::InvalidValue> {
        Ok(match (store, in_server) {
            (Store::Memory(store), _) => Self::Memory(store.clone(), Views::new()?),
            (Store::Postgres(store), false) => Self::Client(store.clone()),
            (Store::Postgres(store), true) => Self::Server(store.clone()),
        })
    }
}

/// The events that the read models are made of.
pub(crate) fn filter() -> Filter {
    let orders = Filter::all().stream_prefix(OrderId::PREFIX);
    let products = PRODUCT_PREFIXES.into_iter();
    products.fold(orders, Filter::stream_prefix)
}
