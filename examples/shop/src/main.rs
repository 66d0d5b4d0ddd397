//! Runs the tour: in the database of `DATABASE_URL`, or in memory without one.

use std::error::Error;

use eventcore::{InMemoryEventStore, PostgresEventStore};
use shop::tour::tour;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lines = match std::env::var("DATABASE_URL") {
        Ok(url) => tour(&PostgresEventStore::connect(&url).await?).await?,
        Err(_) => tour(&InMemoryEventStore::new()).await?,
    };
    print!("{lines}");
    Ok(())
}
