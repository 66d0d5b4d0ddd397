//! [`PollLocks`]: lets one consumer of a durable subscription in this process poll at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::values::SubscriptionName;

/// One async lock per subscription. Of all local consumers, only the holder polls when there is
/// news; the others queue for the lock.
#[derive(Default)]
pub(in crate::postgres) struct PollLocks(Mutex<HashMap<SubscriptionName, PollLock>>);

pub(in crate::postgres) type PollLock = Arc<tokio::sync::Mutex<()>>;

impl PollLocks {
    pub(in crate::postgres) fn of(&self, subscription: &SubscriptionName) -> PollLock {
        let mut poll_locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = poll_locks.get(subscription) {
            return Arc::clone(watch);
        }
        // A new lock is rare: a good time to remove unused ones.
        poll_locks.retain(|_, watch| Arc::strong_count(watch) > 1);
        Arc::clone(poll_locks.entry(subscription.clone()).or_default())
    }
}
