//! The tour is the one that README.md shows.

use eventcore::InMemoryEventStore;
use shop::tour::tour;

#[tokio::test]
async fn the_tour_in_memory_tells_what_the_readme_shows() {
    let text = tour(&InMemoryEventStore::new()).await.unwrap();
    assert!(include_str!("../README.md").contains(&text), "{text}");
}
