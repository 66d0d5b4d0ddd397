//! Both services on stores in memory: in one process, where their relays can be killed without the
//! stores, and in two.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eventcore::InMemoryEventStore;
use tokio::task::JoinSet;
use two_services::books::{Books, books};
use two_services::orders::Orders;
use two_services::payments::Payments;
use two_services::processes::{Stores, both};
use two_services::samples::{ORDERS, open_accounts, place_orders};
use two_services::wire::Wire;

/// How long the first relays live before they are killed; the next ones live longer by as much.
const LIFE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn every_order_ends_once_and_every_cent_is_charged_once_whatever_is_lost_or_killed() {
    let orders = Orders(InMemoryEventStore::new());
    let payments = Payments(InMemoryEventStore::new());
    open_accounts(&payments).await.unwrap();
    place_orders(&orders).await.unwrap();
    let to_payments = Arc::new(Wire::to(payments.clone()));
    let to_orders = Arc::new(Wire::to(orders.clone()));
    let mut life = LIFE;
    let Books {
        confirmed,
        cancelled,
        wrong,
    } = loop {
        let mut relays = JoinSet::new();
        let (service, wire) = (orders.clone(), Arc::clone(&to_payments));
        relays.spawn(async move { service.tell(&*wire).await });
        let (service, wire) = (payments.clone(), Arc::clone(&to_orders));
        relays.spawn(async move { service.tell(&*wire).await });
        // Wherever they are then: before, between and after the steps of a message.
        let failed = tokio::time::timeout(life, relays.join_next()).await;
        assert!(failed.is_err(), "{failed:?}");
        relays.shutdown().await;
        life += LIFE;
        let books = books(&orders.0, &payments.0).await.unwrap();
        if books.confirmed + books.cancelled >= ORDERS {
            break books;
        }
    };
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(confirmed + cancelled, ORDERS);
    assert!(confirmed > 10 && cancelled > 5, "{confirmed} {cancelled}");
}

#[tokio::test]
async fn two_processes_end_every_order_over_a_socket() {
    let program = Path::new(env!("CARGO_BIN_EXE_two-services"));
    let last = both(program, &Stores::Memory).await.unwrap();
    let counts: Vec<usize> = last
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), ORDERS, "{last}");
    assert!(counts[0] > 10 && counts[1] > 5, "{last}");
}
