//! How to run a process manager.

use std::time::Duration;

use crate::consumer::ConsumerOptions;
use crate::durable::{StartFrom, SubscriptionDefinition};
use crate::execute::RetryPolicy;
use crate::store::Filter;
use crate::values::ConsumerName;

/// A timeout that is given back until it is due has failed as far as its subscription knows: at least once,
/// and once a year. So many such failures are allowed on top.
const WAITS: u32 = 10;

/// How to run a process manager. The lease, the retry limit and where to start belong to its durable
/// subscriptions: they cannot be changed once it has run, and all its runners have to name the same.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Where its first run starts. By default with the first event of the store.
    pub start: StartFrom,
    /// After how long another runner takes over from one that is gone. By default 30 s.
    pub lease: Duration,
    /// How often a trigger that failed is tried again before it is parked. By default 10.
    pub retry_limit: u32,
    /// After how long, by how often it has failed. By default 1 s, 2 s, 4 s, … up to 1 minute.
    pub retry_delay: RetryPolicy,
    /// How often to try a command, or a call of the store, before its trigger has failed.
    pub retry: RetryPolicy,
    /// The most events that a runner takes at once, 1 to 10,000. By default 20.
    pub batch: u32,
    /// What operators see as the name of the runner. By default the name of the manager.
    pub consumer: Option<ConsumerName>,
    /// To end when there is nothing to do. By default it never ends.
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

    /// Sets after how long another runner takes over from one that is gone.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets how often a trigger that failed is tried again.
    #[must_use]
    pub fn retry_limit(mut self, retries: u32) -> Self {
        self.retry_limit = retries;
        self
    }

    /// Sets after how long a trigger that failed is tried again.
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

    /// Takes at most so many events at once.
    #[must_use]
    pub fn batch(mut self, events: u32) -> Self {
        self.batch = events;
        self
    }

    /// Names the runner.
    #[must_use]
    pub fn consumer(mut self, name: ConsumerName) -> Self {
        self.consumer = Some(name);
        self
    }

    /// Ends when there is nothing to do.
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

    /// The definition of the subscription to timeouts. It starts with the first event of the store: there are
    /// no timeouts before the manager has run.
    pub(super) fn of_timeouts(&self, filter: Filter) -> SubscriptionDefinition {
        self.of_events(filter)
            .start(StartFrom::Start)
            .retry_limit(self.retry_limit.saturating_add(WAITS))
    }

    /// How the subscriptions are consumed.
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
