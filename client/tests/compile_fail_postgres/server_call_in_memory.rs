//! A command inside the database is executed on a store that is not on PostgreSQL.

use eventcore::postgres::ServerCommand;
use eventcore::{InMemoryEventStore, execute};

async fn run(store: &InMemoryEventStore) {
    let _ = execute(store, &ServerCommand::<u64>::new("count").with(&5)).await;
}

fn main() {}
