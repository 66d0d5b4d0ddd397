//! Counts the fulfilments that end while this process runs, and how long they took.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::SystemTime;

use eventcore::{Filter, FollowError, StreamId, Subscribe};

use crate::domain::{FulfilmentEvent, OrderId};
use crate::store::Store;

/// Follows the fulfilments of all processes from now on.
///
/// # Errors
///
/// The store cannot be reached, or an event cannot be decoded.
pub async fn count(store: Store) -> Result<Infallible, FollowError> {
    let filter = Filter::all().stream_prefix(OrderId::FULFILMENT_PREFIX);
    let now = store.safe_position().await?;
    let subscription = store.subscribe(Subscribe::after(now).filter(filter));
    let mut events = subscription.typed::<FulfilmentEvent>();
    let mut started: HashMap<StreamId, SystemTime> = HashMap::new();
    loop {
        let stored = events.next_event().await?;
        let outcome = match stored.event {
            FulfilmentEvent::FulfilmentStarted => {
                metrics::counter!("saga_executions_total").increment(1);
                started.insert(stored.stream_id, stored.recorded_at);
                continue;
            }
            FulfilmentEvent::FulfilmentCompleted => "saga_completed",
            FulfilmentEvent::FulfilmentFailed { .. } => "saga_failed",
            _ => continue,
        };
        metrics::counter!(outcome).increment(1);
        if let Some(start) = started.remove(&stored.stream_id) {
            let took = stored.recorded_at.duration_since(start).unwrap_or_default();
            metrics::histogram!("saga_duration_seconds").record(took);
        }
    }
}
