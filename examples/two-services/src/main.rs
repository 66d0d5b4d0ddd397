//! One service, or both as two processes: with a database each, or in memory.

use std::error::Error;
use std::net::SocketAddr;

use eventcore::{InMemoryEventStore, PostgresEventStore};
use tokio::net::TcpListener;
use two_services::books::books;
use two_services::processes::{Stores, both};
use two_services::service;

const USAGE: &str = "two-services [orders LISTEN PAYMENTS | payments LISTEN ORDERS]";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [name, listen, other] = arguments[..] else {
        return match arguments.is_empty() {
            true => run_both().await,
            false => Err(USAGE.into()),
        };
    };
    let listener = TcpListener::bind(listen).await?;
    let other: SocketAddr = other.parse()?;
    let store = match std::env::var("DATABASE_URL") {
        Ok(url) => Some(PostgresEventStore::connect(&url).await?),
        Err(_) => None,
    };
    match (name, store) {
        ("orders", Some(store)) => service::orders(store, listener, other).await,
        ("orders", None) => service::orders(InMemoryEventStore::new(), listener, other).await,
        ("payments", Some(store)) => match service::payments(store, listener, other).await? {},
        ("payments", None) => {
            match service::payments(InMemoryEventStore::new(), listener, other).await? {}
        }
        _ => Err(USAGE.into()),
    }
}

/// Runs both, and with databases looks into the books afterwards.
async fn run_both() -> Result<(), Box<dyn Error + Send + Sync>> {
    let program = std::env::current_exe()?;
    let url = |name| std::env::var(name).ok();
    let (Some(orders), Some(payments)) = (url("ORDERS_DATABASE_URL"), url("PAYMENTS_DATABASE_URL"))
    else {
        println!("{}", both(&program, &Stores::Memory).await?);
        return Ok(());
    };
    let stores = Stores::Databases {
        orders: orders.clone(),
        payments: payments.clone(),
    };
    println!("{}", both(&program, &stores).await?);
    let orders = PostgresEventStore::connect(&orders).await?;
    let payments = PostgresEventStore::connect(&payments).await?;
    let books = books(&orders, &payments).await?;
    match books.wrong.is_empty() {
        true => Ok(()),
        false => Err(books.wrong.join("\n").into()),
    }
}
