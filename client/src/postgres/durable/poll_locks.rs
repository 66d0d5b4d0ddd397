//! Who is on watch for the consumers of a durable subscription in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::values::SubscriptionName;

/// One place on watch for each subscription that is polled; who waits for it gets it in turn.
#[derive(Default)]
pub(in crate::postgres) struct PollLocks(Mutex<HashMap<SubscriptionName, PollLock>>);

pub(in crate::postgres) type PollLock = Arc<tokio::sync::Mutex<()>>;

impl PollLocks {
    pub(in crate::postgres) fn of(&self, subscription: &SubscriptionName) -> PollLock {
        let mut poll_locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = poll_locks.get(subscription) {
            return Arc::clone(watch);
        }
        // A new one is rare: time to forget those that nobody polls.
        poll_locks.retain(|_, watch| Arc::strong_count(watch) > 1);
        Arc::clone(poll_locks.entry(subscription.clone()).or_default())
    }
}
