//! [`SubscriptionDefinition`]: which events a durable subscription delivers, and what happens to those
//! that fail.

use std::time::Duration;

use crate::store::Filter;
use crate::values::Position;

/// Which events a durable subscription delivers, and what happens to those that fail. By default every
/// event from the first one on, with a lease of 30 s and 10 retries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionDefinition {
    /// Only these events. A prefix or event type may not be empty, and there are at most 1,000 of each.
    pub filter: Filter,
    /// Where it starts when it is created; not compared with a subscription that is there.
    pub start: StartFrom,
    /// How long a consumer has for what one poll gives it, in whole milliseconds.
    pub lease: Duration,
    /// How often a failed event is delivered again before it is parked; 0 for never.
    pub retry_limit: u32,
    /// What the stream of a parked event does.
    pub on_parked: OnParked,
}

/// Where a durable subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartFrom {
    /// With the first event of the store.
    #[default]
    Start,
    /// After what can be read when it is created.
    Now,
    /// After this position, which may not be later than the safe position.
    After(Position),
}

/// What the later events of a stream do when one of its events is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnParked {
    /// They are delivered.
    #[default]
    Continue,
    /// They wait until the parked event is replayed or discarded.
    Stop,
}

impl SubscriptionDefinition {
    /// Every event from the first one on.
    pub fn new() -> Self {
        Self {
            filter: Filter::all(),
            start: StartFrom::Start,
            lease: Duration::from_secs(30),
            retry_limit: 10,
            on_parked: OnParked::Continue,
        }
    }

    /// Only these events.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Starts here.
    #[must_use]
    pub fn start(mut self, start: StartFrom) -> Self {
        self.start = start;
        self
    }

    /// Gives a consumer this long for what one poll gives it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Delivers a failed event so often again before it is parked.
    #[must_use]
    pub fn retry_limit(mut self, retries: u32) -> Self {
        self.retry_limit = retries;
        self
    }

    /// What the stream of a parked event does.
    #[must_use]
    pub fn on_parked(mut self, on_parked: OnParked) -> Self {
        self.on_parked = on_parked;
        self
    }
}

impl Default for SubscriptionDefinition {
    fn default() -> Self {
        Self::new()
    }
}
