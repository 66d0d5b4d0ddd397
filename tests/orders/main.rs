//! The example `orders` on PostgreSQL: the suite that the example runs in memory, with the read
//! models kept by the program; and what concerns them once more, kept inside the server. In `killed`
//! the program runs as processes, which are killed.

#[path = "../../examples/orders/tests/suite/mod.rs"]
#[macro_use]
mod suite;
mod killed;
mod openapi;
mod same_tables;
mod under_way;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventcore::PostgresEventStore;
use eventcore_harness::{Server, ServerOptions};
use orders::store::Store;

use suite::support::Ground;

suite!(crate::ground("client").await);

mod inside_the_server {
    suite!(@tests crate::ground("server").await;
        books::the_stock_is_the_same_in_the_next_book,
        fulfilment::an_order_is_fulfilled,
        fulfilment::a_refused_step_is_compensated,
        lists::a_list_includes_what_was_written_before,
        lists::orders_are_listed_in_pages,
        lists::customers_and_products_are_counted,
        lists::a_rebuild_changes_nothing_and_is_not_noticed,
        operations::the_service_shows_its_health_metrics_and_document,
        operations::sample_data_fills_the_shop,
    );
}

/// An empty database, with the read models kept in one of two places.
async fn ground(projections: &'static str) -> Ground {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("orders_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let url = server().create_database(&name).unwrap();
    let store = PostgresEventStore::connect(&url).await.unwrap();
    Ground::new(Store::Postgres(store)).with("PROJECTIONS", projections)
}

/// A server with a worker for the projection of each test.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = ServerOptions::new()
            .set("eventcore.max_databases", "100")
            .set("max_worker_processes", "300")
            .set("max_connections", "500");
        Server::start(options).unwrap()
    })
}
