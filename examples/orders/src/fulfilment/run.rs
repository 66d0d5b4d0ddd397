//! Runs the fulfilment: several runners of one process manager in this process, and in others.

use std::time::Duration;

use eventcore::{ProcessOptions, RetryPolicy, SubscriptionStore, run_process_manager_with};

use super::FulfilOrders;
use crate::outside::Outside;

/// How long to wait before the store is asked again after it refused a request.
const PAUSE: Duration = Duration::from_secs(1);

/// A runner takes few orders at once, so that others get their share, and another one takes over a
/// few seconds after it is lost. It never gives up: a partner may be away for a day.
pub fn options() -> ProcessOptions {
    let retry_delay = RetryPolicy::default()
        .base(Duration::from_millis(200))
        .cap(Duration::from_secs(15));
    ProcessOptions::new()
        .lease(Duration::from_secs(5))
        .batch(4)
        .retry_limit(1_000_000)
        .retry_delay(retry_delay)
}

/// Runs one runner until the program ends.
pub async fn run<S>(store: S, outside: Outside)
where
    S: SubscriptionStore + Clone + 'static,
{
    let manager = FulfilOrders { outside };
    let options = options();
    loop {
        if let Err(error) = run_process_manager_with(&store, &manager, &options).await {
            tracing::error!(%error, "a runner of the fulfilment has stopped; it starts again");
        }
        store.sleep(PAUSE).await;
    }
}
