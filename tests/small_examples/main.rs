//! The small examples on PostgreSQL. Their own tests run the same in memory.

#[path = "../../examples/tasks/tests/story/mod.rs"]
mod story;

use std::path::Path;

use eventcore::PostgresEventStore;
use eventcore_harness::shared;
use tasks::list::List;
use two_services::books::books;
use two_services::processes::{Stores, both};

async fn store(database: &str) -> PostgresEventStore {
    let url = shared().create_database(database).unwrap();
    PostgresEventStore::connect(&url).await.unwrap()
}

#[tokio::test]
async fn the_tour_of_the_shop_is_the_same_as_in_memory() {
    let text = shop::tour::tour(&store("example_shop").await)
        .await
        .unwrap();
    let readme = include_str!("../../examples/shop/README.md");
    assert!(readme.contains(&text), "{text}");
}

#[tokio::test]
async fn every_request_of_a_task_is_answered_as_in_memory() {
    let store = store("example_tasks").await;
    let list = List::follow(&store);
    story::tell(&tasks::api::router(store, list)).await;
}

#[tokio::test]
async fn two_services_are_killed_and_every_order_ends_once_and_is_charged_once() {
    let [orders, payments] = ["example_orders", "example_payments"]
        .map(|database| shared().create_database(database).unwrap());
    let stores = Stores::Databases {
        orders: orders.clone(),
        payments: payments.clone(),
    };
    let program = Path::new(env!("CARGO_BIN_EXE_two_services"));
    both(program, &stores).await.unwrap();

    let orders = PostgresEventStore::connect(&orders).await.unwrap();
    let payments = PostgresEventStore::connect(&payments).await.unwrap();
    let books = books(&orders, &payments).await.unwrap();
    assert_eq!(books.wrong, Vec::<String>::new());
    assert_eq!(books.confirmed + books.cancelled, 40);
}
