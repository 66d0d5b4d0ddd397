//! The API on the store in memory.

mod story;

use eventcore::InMemoryEventStore;
use tasks::api::router;
use tasks::list::List;

#[tokio::test]
async fn every_request_of_a_task_is_answered_as_the_readme_says() {
    let store = InMemoryEventStore::new();
    let list = List::follow(&store);
    story::tell(&router(store, list)).await;
}
