//! The small examples on PostgreSQL. Their own tests run the same in memory.

#[path = "../../examples/tasks/tests/story/mod.rs"]
mod story;

use eventcore::PostgresEventStore;
use eventcore_harness::shared;
use tasks::list::List;

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

#[tokio::test(flavor = "multi_thread")]
async fn every_order_of_two_services_ends_once_and_is_charged_once() {
    let orders = store("example_orders").await;
    let payments = store("example_payments").await;
    let books = two_services::run::run(orders, payments).await.unwrap();
    assert_eq!(books.wrong, Vec::<String>::new());
    assert_eq!(books.confirmed + books.cancelled, 40);
}
