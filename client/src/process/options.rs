//! [`ProcessOptions`]: how to run a process manager.

use std::time::Duration;

use crate::consumer::ConsumerOptions;
use crate::durable::{StartFrom, SubscriptionDefinition};
use crate::execute::RetryPolicy;
use crate::store::Filter;
use crate::values::ConsumerName;

/// A timeout that is given back until it is due counts as failed each time: at least once, and once
/// a year. So its subscription allows this many more failures.
const WAITS: u32 = 10;

/// How to run a process manager. Its durable subscriptions store the lease, the retry limit and the
/// start, so these cannot be changed once the manager has run, and all its runners must use the
/// same values.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Where the first run starts. By default at the first event of the store.
    pub start: StartFrom,
    /// How long after a runner is lost another one takes over. By default 30 s.
    pub lease: Duration,
    /// How many times a failed trigger is tried again before it is parked. By default 10.
    pub retry_limit: u32,
    /// How long to wait before a failed trigger is tried again. By default 1 s, 2 s, 4 s, … up to 1
    /// minute.
    pub retry_delay: RetryPolicy,
    /// How often to try a command, or a call of the store, before the trigger counts as failed.
    pub retry: RetryPolicy,
    /// The most events that a runner leases at once, 1 to 10,000. By default 20.
    pub batch: u32,
    /// The name of the runner, for operators. By default the name of the manager.
    pub consumer: Option<ConsumerName>,
    /// Whether to return when there is nothing to do. By default false.
    pub until_idle: bool,
}

impl ProcessOptions {
    /// The default options.
    pub fn new() -> Self {
        Self {
            start: StartFrom::Start,
            lease: Duration::from_secs(30),
            retry_limit: 10,
            retry_delay: ConsumerOptions::new().retry_delay,
            retry: RetryPolicy::default(),
            batch: 20,
            consumer: None,
            until_idle: false,
        }
    }

    /// Sets where the first run starts.
    #[must_use]
    pub fn start(mut self, start: StartFrom) -> Self {
        self.start = start;
        self
    }

    /// Sets how long after a runner is lost another one takes over.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how many times a failed trigger is tried again.
    #[must_use]
    pub fn retry_limit(mut self, retries: u32) -> Self {
        self.retry_limit = retries;
        self
    }

    /// Sets how long to wait before a failed trigger is tried again.
    #[must_use]
    pub fn retry_delay(mut self, policy: RetryPolicy) -> Self {
        self.retry_delay = policy;
        self
    }

    /// Sets how often to try a command, or a call of the store.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Leases at most this many events at once.
    #[must_use]
    pub fn batch(mut self, events: u32) -> Self {
        self.batch = events;
        self
    }

    /// Sets the name of the runner.
    #[must_use]
    pub fn consumer(mut self, name: ConsumerName) -> Self {
        self.consumer = Some(name);
        self
    }

    /// Returns when there is nothing to do.
    #[must_use]
    pub fn until_idle(mut self) -> Self {
        self.until_idle = true;
        self
    }

    /// The definition of the subscription to events.
    pub(super) fn of_events(&self, filter: Filter) -> SubscriptionDefinition {
        SubscriptionDefinition::new()
            .filter(filter)
            .start(self.start)
            .lease(self.lease)
            .retry_limit(self.retry_limit)
    }

    /// The definition of the subscription to timeouts. It starts at the first event of the store:
    /// there are no timeouts before the manager has run.
    pub(super) fn of_timeouts(&self, filter: Filter) -> SubscriptionDefinition {
        self.of_events(filter)
            .start(StartFrom::Start)
            .retry_limit(self.retry_limit.saturating_add(WAITS))
    }

    /// The options of the consumers of both subscriptions.
    pub(super) fn of_consumers(&self) -> ConsumerOptions {
        ConsumerOptions::new()
            .batch(self.batch)
            .retry_delay(self.retry_delay.clone())
    }
}

impl Default for ProcessOptions {
    fn default() -> Self {
        Self::new()
    }
}
