//! [`ConsumerOptions`]: the settings of a consumer.

use std::time::Duration;

use crate::execute::RetryPolicy;

/// The settings of a [`Consumer`](crate::Consumer).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ConsumerOptions {
    /// The most events that the consumer leases at once, 1 to 10,000. By default 100.
    pub batch: u32,
    /// How to try again when the store cannot be reached. By default forever, at least once a
    /// second.
    pub reconnect: RetryPolicy,
    /// How long to wait before a failed event is delivered again, by the number of its attempts.
    /// The subscription determines how many attempts there are. By default 1 s, 2 s, 4 s, … up to 1
    /// minute.
    pub retry_delay: RetryPolicy,
}

impl ConsumerOptions {
    /// The default settings.
    pub fn new() -> Self {
        Self {
            batch: 100,
            reconnect: RetryPolicy::default().attempts(u32::MAX),
            retry_delay: RetryPolicy::default()
                .attempts(u32::MAX)
                .base(Duration::from_secs(1))
                .cap(Duration::from_secs(60))
                .jitter(false),
        }
    }

    /// Leases at most this many events at once.
    #[must_use]
    pub fn batch(mut self, events: u32) -> Self {
        self.batch = events;
        self
    }

    /// Sets how to try again when the store cannot be reached.
    #[must_use]
    pub fn reconnect(mut self, policy: RetryPolicy) -> Self {
        self.reconnect = policy;
        self
    }

    /// Sets how long to wait before a failed event is delivered again.
    #[must_use]
    pub fn retry_delay(mut self, policy: RetryPolicy) -> Self {
        self.retry_delay = policy;
        self
    }

    /// How long to wait before an event that failed at this attempt is delivered again.
    pub(super) fn delay_after(&self, attempt: u32) -> Duration {
        self.retry_delay.wait_after(attempt).unwrap_or_default()
    }
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self::new()
    }
}
