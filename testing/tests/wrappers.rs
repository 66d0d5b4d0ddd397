//! Wrapped stores keep the contract, as long as no fault is injected that a caller can see.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{EventStore, HandlerError, InMemoryEventStore, MemoryTransaction};
use eventcore_testing::contract::Book;
use eventcore_testing::intercept::{Intercept, Intercepted};
use eventcore_testing::{ChaosStore, CountingStore};

mod plain {
    use super::*;

    /// Changes nothing.
    #[derive(Clone)]
    struct Nothing;

    impl<S: EventStore> Intercept<S> for Nothing {}

    type Plain = Intercepted<InMemoryEventStore, Nothing>;

    #[derive(Clone, Default)]
    struct List(Arc<Mutex<Vec<u64>>>);

    impl Book<Plain> for List {
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

    async fn fresh(_name: &str) -> Plain {
        Intercepted::with(InMemoryEventStore::new(), Nothing)
    }

    async fn with_book(name: &str) -> (Plain, List) {
        (fresh(name).await, List::default())
    }

    eventcore_testing::event_store_contract! { fresh }

    eventcore_testing::snapshot_contract! { fresh }

    eventcore_testing::event_subscription_contract! { fresh }

    eventcore_testing::subscription_store_contract! { fresh }

    eventcore_testing::projection_store_contract! { with_book }
}

mod chaos {
    use super::*;

    async fn fresh(_name: &str) -> ChaosStore<InMemoryEventStore> {
        ChaosStore::new(InMemoryEventStore::new())
    }

    eventcore_testing::event_store_contract! { fresh }

    eventcore_testing::snapshot_contract! { fresh }
}

/// So that writers and readers overtake one another.
mod slow {
    use super::*;

    async fn fresh(name: &str) -> ChaosStore<InMemoryEventStore> {
        let seed = name.len() as u64;
        ChaosStore::new(InMemoryEventStore::new())
            .seed(seed)
            .latency(Duration::from_micros(300))
    }

    eventcore_testing::event_store_contract! { fresh }
}

mod counting {
    use super::*;

    async fn fresh(_name: &str) -> CountingStore<InMemoryEventStore> {
        CountingStore::new(InMemoryEventStore::new())
    }

    eventcore_testing::snapshot_contract! { fresh }
}
