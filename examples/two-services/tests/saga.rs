//! Both services on stores in memory.

use eventcore::InMemoryEventStore;
use two_services::run::{Books, run};

#[tokio::test]
async fn every_order_ends_once_and_every_cent_is_charged_once_whatever_is_lost_or_killed() {
    let stores = (InMemoryEventStore::new(), InMemoryEventStore::new());
    let Books {
        confirmed,
        cancelled,
        wrong,
    } = run(stores.0, stores.1).await.unwrap();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(confirmed + cancelled, 40);
    assert!(confirmed > 10 && cancelled > 5, "{confirmed} {cancelled}");
}
