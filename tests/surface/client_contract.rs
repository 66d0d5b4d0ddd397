//! The contract of every store, on PostgreSQL. The client's own tests run it on the store in
//! memory.

use std::sync::LazyLock;

use eventcore::{HandlerError, PostgresEventStore, PostgresTransaction};
use eventcore_harness::{Server, ServerOptions};
use eventcore_testing::contract::Book;

use crate::support::connect;

/// A table that is written in the transaction.
#[derive(Clone)]
struct Table {
    url: String,
}

impl Book<PostgresEventStore> for Table {
    async fn note(
        &self,
        number: u64,
        transaction: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        let number = i64::try_from(number)?;
        transaction
            .execute("INSERT INTO noted (number) VALUES ($1)", &[&number])
            .await?;
        Ok(())
    }

    async fn noted(&self) -> Vec<u64> {
        let session = connect(&self.url).await;
        let rows = session
            .query("SELECT number FROM noted ORDER BY id", &[])
            .await
            .unwrap();
        rows.iter()
            .map(|row| row.get::<_, i64>(0).try_into().unwrap())
            .collect()
    }
}

async fn fresh(name: &str) -> PostgresEventStore {
    PostgresEventStore::connect(&database(name)).await.unwrap()
}

async fn with_book(name: &str) -> (PostgresEventStore, Table) {
    let url = database(name);
    let session = connect(&url).await;
    session
        .batch_execute("CREATE TABLE noted (id bigserial, number bigint)")
        .await
        .unwrap();
    let store = PostgresEventStore::connect(&url).await.unwrap();
    (store, Table { url })
}

/// On a server of its own: the contract needs many databases, each with a notifier.
fn database(test: &str) -> String {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        let options = ServerOptions::new()
            .without_fsync()
            .set("max_connections", "400")
            .set("max_worker_processes", "200")
            .set("eventcore.max_databases", "200");
        Server::start(options).unwrap()
    });
    // PostgreSQL truncates long names.
    let name: String = test.chars().take(60).collect();
    SERVER.create_database(&name).unwrap()
}

eventcore_testing::event_store_contract! { fresh }

eventcore_testing::snapshot_contract! { fresh }

eventcore_testing::event_subscription_contract! { fresh }

eventcore_testing::subscription_store_contract! { fresh }

eventcore_testing::process_manager_contract! { fresh }

eventcore_testing::projection_store_contract! { with_book }
