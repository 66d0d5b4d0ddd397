//! [`SubscriptionDefinition`]: which events a durable subscription delivers, and what it does with
//! events that fail.

use std::time::Duration;

use crate::store::Filter;
use crate::values::Position;

/// Which events a durable subscription delivers, and what it does with events that fail. By default
/// all events from the first one, with a lease of 30 s and 10 retries.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionDefinition {
    /// Only these events. Prefixes and event types must not be empty; at most 1,000 of each.
    pub filter: Filter,
    /// Where the subscription starts when it is created. Ignored if the subscription exists.
    pub start: StartFrom,
    /// How long a consumer may keep the events of one poll, in whole milliseconds.
    pub lease: Duration,
    /// How many times a failed event is delivered again before it is parked; 0 means never.
    pub retry_limit: u32,
    /// What happens to the later events of a parked event's stream.
    pub on_parked: OnParked,
}

/// Where a durable subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartFrom {
    /// With the first event of the store.
    #[default]
    Start,
    /// After the events that can be read at its creation.
    Now,
    /// After this position, which must not be above the safe position.
    After(Position),
}

/// What happens to the later events of a stream when one of its events is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnParked {
    /// They are delivered.
    #[default]
    Continue,
    /// They wait until the parked event is replayed or discarded.
    Stop,
}

impl SubscriptionDefinition {
    /// All events from the first one.
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

    /// Sets where the subscription starts.
    #[must_use]
    pub fn start(mut self, start: StartFrom) -> Self {
        self.start = start;
        self
    }

    /// Sets how long a consumer may keep the events of one poll.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how many times a failed event is delivered again before it is parked.
    #[must_use]
    pub fn retry_limit(mut self, retries: u32) -> Self {
        self.retry_limit = retries;
        self
    }

    /// Sets what happens to the later events of a parked event's stream.
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
