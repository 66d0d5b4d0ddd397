//! The contract of every store, for the store in memory.

use std::sync::{Arc, Mutex};

use eventcore::{HandlerError, InMemoryEventStore, MemoryTransaction};
use eventcore_testing::contract::Book;

/// A list behind a lock, written when the transaction commits.
#[derive(Clone, Default)]
struct List(Arc<Mutex<Vec<u64>>>);

impl Book<InMemoryEventStore> for List {
    async fn note(
        &self,
        number: u64,
        transaction: &mut MemoryTransaction,
    ) -> Result<(), HandlerError> {
        let list = Arc::clone(&self.0);
        transaction.on_commit(move || list.lock().unwrap().push(number));
        Ok(())
    }

    async fn noted(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

async fn fresh(_name: &str) -> InMemoryEventStore {
    InMemoryEventStore::new()
}

async fn with_book(_name: &str) -> (InMemoryEventStore, List) {
    (InMemoryEventStore::new(), List::default())
}

eventcore_testing::event_store_contract! { fresh }

eventcore_testing::snapshot_contract! { fresh }

eventcore_testing::event_subscription_contract! { fresh }

eventcore_testing::subscription_store_contract! { fresh }

eventcore_testing::process_manager_contract! { fresh }

eventcore_testing::projection_store_contract! { with_book }
