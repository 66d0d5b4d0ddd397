//! [`Nack`]: an event is given back.

use std::time::Duration;

/// How events are given back that were not done. By default to be tried again at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nack {
    /// What becomes of the events.
    pub action: NackAction,
    /// Why; kept for operators.
    pub reason: Option<String>,
    /// Not before this time is over are they delivered again, in whole milliseconds.
    pub delay: Duration,
}

/// What becomes of events that are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackAction {
    /// They have failed and are delivered again, but are parked when they failed more often than the
    /// retry limit allows.
    Retry,
    /// They are set aside until somebody looks after them.
    Park,
    /// They are done with, as if they had been acknowledged.
    Skip,
    /// They are delivered again, and this was no failure.
    Release,
}

/// What became of an event that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackOutcome {
    /// It is delivered again.
    Retry,
    /// It is set aside.
    Parked,
    /// It is done with.
    Skipped,
    /// It is delivered again, and this was no failure. So it is with the later events of a stream that
    /// the lease held too.
    Released,
}

impl Nack {
    /// To be delivered again, as a failure.
    pub fn retry() -> Self {
        Self::of(NackAction::Retry)
    }

    /// To be set aside.
    pub fn park() -> Self {
        Self::of(NackAction::Park)
    }

    /// To be done with.
    pub fn skip() -> Self {
        Self::of(NackAction::Skip)
    }

    /// To be delivered again, not as a failure.
    pub fn release() -> Self {
        Self::of(NackAction::Release)
    }

    /// Says why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Not before this time is over.
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
