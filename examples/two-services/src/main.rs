//! Runs both services: with a database each, or in memory.

use std::error::Error;

use eventcore::{InMemoryEventStore, PostgresEventStore};
use two_services::run::run;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = |name| std::env::var(name).ok();
    let books = match (url("ORDERS_DATABASE_URL"), url("PAYMENTS_DATABASE_URL")) {
        (Some(orders), Some(payments)) => {
            let orders = PostgresEventStore::connect(&orders).await?;
            run(orders, PostgresEventStore::connect(&payments).await?).await?
        }
        _ => run(InMemoryEventStore::new(), InMemoryEventStore::new()).await?,
    };
    println!(
        "{} orders confirmed, {} cancelled",
        books.confirmed, books.cancelled
    );
    match books.wrong.is_empty() {
        true => Ok(()),
        false => Err(books.wrong.join("\n").into()),
    }
}
