//! [`Nack`]: gives an event back.

use std::time::Duration;

/// How a consumer gives back events that it has not handled. By default they are tried again at
/// once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nack {
    /// What the store does with the events.
    pub action: NackAction,
    /// The reason, for operators.
    pub reason: Option<String>,
    /// The events are delivered again only after this time, in whole milliseconds.
    pub delay: Duration,
}

/// What the store does with events that are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackAction {
    /// The events have failed and are delivered again. Events that failed more often than the retry
    /// limit allows are parked.
    Retry,
    /// The events are parked until an operator replays or discards them.
    Park,
    /// The events are skipped, as if they had been acknowledged.
    Skip,
    /// The events are delivered again without counting as failed.
    Release,
}

/// What the store did with an event that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackOutcome {
    /// It is delivered again.
    Retry,
    /// It is parked.
    Parked,
    /// It is skipped.
    Skipped,
    /// It is delivered again without counting as failed. The same happens to later events of its
    /// stream in the same lease.
    Released,
}

impl Nack {
    /// Counts as a failure and delivers the events again.
    pub fn retry() -> Self {
        Self::of(NackAction::Retry)
    }

    /// Parks the events.
    pub fn park() -> Self {
        Self::of(NackAction::Park)
    }

    /// Skips the events.
    pub fn skip() -> Self {
        Self::of(NackAction::Skip)
    }

    /// Delivers the events again without counting as a failure.
    pub fn release() -> Self {
        Self::of(NackAction::Release)
    }

    /// Sets the reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Delivers the events again only after this time.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn of(action: NackAction) -> Self {
        Self {
            action,
            reason: None,
            delay: Duration::ZERO,
        }
    }
}

impl Default for Nack {
    fn default() -> Self {
        Self::retry()
    }
}
