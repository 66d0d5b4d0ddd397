//! Serves the API: with the database of `DATABASE_URL`, or in memory without one.

use std::error::Error;

use axum::Router;
use eventcore::{EventSubscription, InMemoryEventStore, PostgresEventStore};
use tasks::api::router;
use tasks::list::List;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api = match std::env::var("DATABASE_URL") {
        Ok(url) => api(PostgresEventStore::connect(&url).await?),
        Err(_) => api(InMemoryEventStore::new()),
    };
    let listener = TcpListener::bind("127.0.0.1:3001").await?;
    println!("tasks: http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, api).await?)
}

fn api<S: EventSubscription + Clone + 'static>(store: S) -> Router {
    let list = List::follow(&store);
    router(store, list)
}
