//! Wrapped stores keep the contract, as long as no fault is injected that a caller can see.

use std::time::Duration;

use eventcore::InMemoryEventStore;
use eventcore_testing::{ChaosStore, CountingStore};

mod chaos {
    use super::*;

    async fn fresh(_name: &str) -> ChaosStore<InMemoryEventStore> {
        ChaosStore::new(InMemoryEventStore::new())
    }

    eventcore_testing::event_store_contract! { fresh }

    eventcore_testing::snapshot_contract! { fresh }

    eventcore_testing::event_subscription_contract! { fresh }
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

    eventcore_testing::event_store_contract! { fresh }

    eventcore_testing::snapshot_contract! { fresh }

    eventcore_testing::event_subscription_contract! { fresh }
}
