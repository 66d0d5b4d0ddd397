//! Runs the fulfilment: several runners of one process manager in this process, and in others.

use std::time::Duration;

use eventcore::{ProcessOptions, RetryPolicy, SubscriptionStore, run_process_manager_with};

use super::FulfilOrders;
use crate::outside::Outside;
use crate::supervise::for_ever;

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
    for_ever("a runner of the fulfilment", || {
        run_process_manager_with(&store, &manager, &options)
    })
    .await;
}
