//! The promises of every store, as tests that a store runs with one line.
//!
//! ```
//! use eventcore::InMemoryEventStore;
//!
//! /// An empty store for the test of this name.
//! async fn fresh(_name: &str) -> InMemoryEventStore {
//!     InMemoryEventStore::new()
//! }
//!
//! eventcore_testing::event_store_contract! { fresh }
//! # fn main() {}
//! ```
//!
//! Each promise is a `#[test]` of its own, named by the sentence that it proves, with its own store
//! and a tokio runtime of several threads. There is a macro for each trait of `eventcore` that a
//! store may implement:
//!
//! | macro | for |
//! |---|---|
//! | [`event_store_contract!`](crate::event_store_contract) | `EventStore + Clone + 'static` |
//! | [`snapshot_contract!`](crate::snapshot_contract) | `EventStore` with snapshots |
//! | [`event_subscription_contract!`](crate::event_subscription_contract) | also `EventSubscription` |
//! | [`subscription_store_contract!`](crate::subscription_store_contract) | also `SubscriptionStore` |
//! | [`process_manager_contract!`](crate::process_manager_contract) | process managers on a `SubscriptionStore` |
//! | [`projection_store_contract!`](crate::projection_store_contract) | also `ProjectionStore`; `fresh` makes a store and a [`Book`] |

// Writing.
#[doc(hidden)]
pub mod conflicts;
#[doc(hidden)]
pub mod fields;
#[doc(hidden)]
pub mod limits;
#[doc(hidden)]
pub mod malformed;
#[doc(hidden)]
pub mod repeat;
#[doc(hidden)]
pub mod versions;

// Reading.
#[doc(hidden)]
pub mod decode;
#[doc(hidden)]
pub mod read;
#[doc(hidden)]
pub mod read_all;
#[doc(hidden)]
pub mod snapshots;

// Concurrency.
#[doc(hidden)]
pub mod order;
#[doc(hidden)]
pub mod race;
#[doc(hidden)]
pub mod random;

// Following.
#[doc(hidden)]
pub mod consume;
#[doc(hidden)]
pub mod consume_many;
#[doc(hidden)]
pub mod durable;
#[doc(hidden)]
pub mod follow;
#[doc(hidden)]
pub mod give_back;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod process_faults;
#[doc(hidden)]
pub mod process_many;
#[doc(hidden)]
pub mod project;
#[doc(hidden)]
pub mod project_many;
#[doc(hidden)]
pub mod set_aside;
#[doc(hidden)]
pub mod subscribe;

// Helpers of the tests.
#[doc(hidden)]
pub mod bank;
mod macros;
mod notes;
mod shop;
mod support;

use std::time::Duration;

pub use self::project::Book;
pub(crate) use self::support::*;

/// How long a test may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(180);

/// Runs a test on a runtime of several threads.
///
/// # Panics
///
/// The test panics, or takes 3 minutes.
#[doc(hidden)]
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, test).await })
        .expect("it hangs");
}
