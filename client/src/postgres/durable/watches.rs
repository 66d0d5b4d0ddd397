//! Who is on watch for the consumers of a durable subscription in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::values::SubscriptionName;

/// One place on watch for each subscription that is polled; who waits for it gets it in turn.
#[derive(Default)]
pub(in crate::postgres) struct Watches(Mutex<HashMap<SubscriptionName, Watch>>);

pub(in crate::postgres) type Watch = Arc<tokio::sync::Mutex<()>>;

impl Watches {
    pub(in crate::postgres) fn of(&self, subscription: &SubscriptionName) -> Watch {
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = watches.get(subscription) {
            return Arc::clone(watch);
        }
        // A new one is rare: time to forget those that nobody polls.
        watches.retain(|_, watch| Arc::strong_count(watch) > 1);
        Arc::clone(watches.entry(subscription.clone()).or_default())
    }
}
