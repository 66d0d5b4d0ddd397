//! What every store of the client promises of subscriptions and projections, asked of PostgreSQL. The
//! promises are those that the client's own tests ask of the memory store.

#[path = "../../client/tests/contract/mod.rs"]
mod contract;

use std::sync::LazyLock;

use contract::project::Book;
use eventcore::{HandlerError, PostgresEventStore, PostgresTransaction};
use eventcore_harness::{Server, ServerOptions};

use crate::support::connect;

/// A table, written in the transaction.
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

/// Of a server of the contract's own: it takes many databases, each with a notifier.
fn database(test: &str) -> String {
    static SERVER: LazyLock<Server> = LazyLock::new(|| {
        let options = ServerOptions::new().set("max_worker_processes", "64");
        Server::start(options).unwrap()
    });
    // PostgreSQL cuts long names off.
    let name: String = test.chars().take(60).collect();
    SERVER.create_database(&name).unwrap()
}

contract::contract! { fresh }

contract::projection_contract! { with_book }
