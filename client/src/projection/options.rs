//! [`ProjectionOptions`]: how to run a projection.

use crate::execute::RetryPolicy;
use crate::values::Position;

/// How to run a projection.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ProjectionOptions {
    /// The most events that are committed together. By default 500.
    pub batch: u32,
    /// How often to try a batch when the store fails temporarily. By default forever, at least once
    /// a second.
    pub retry: RetryPolicy,
    /// Where to end: everything up to this position is applied. By default the projection never
    /// ends.
    pub until: Option<Position>,
}

/// What a projection does if its checkpoint belongs to another history of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDiverged {
    /// It stops with the error.
    Stop,
    /// It continues after the position up to which both histories are the same. Events that it has
    /// applied before come again, with the same ids. It must correct the effects of lost events
    /// itself.
    GoBack,
}

/// What a projection does with an event that it cannot decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUndecodable {
    /// It stops with the error.
    Stop,
    /// It continues with the next event. The skipped event takes no effect, even if a later version
    /// can decode it.
    Skip,
}

impl ProjectionOptions {
    /// The default options.
    pub fn new() -> Self {
        Self {
            batch: 500,
            retry: RetryPolicy::default().attempts(u32::MAX),
            until: None,
        }
    }

    /// Commits at most this many events together; at least one.
    #[must_use]
    pub fn batch(mut self, events: u32) -> Self {
        self.batch = events.max(1);
        self
    }

    /// Sets how often to try.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Ends as soon as everything up to this position has been applied.
    #[must_use]
    pub fn until(mut self, position: Position) -> Self {
        self.until = Some(position);
        self
    }
}

impl Default for ProjectionOptions {
    fn default() -> Self {
        Self::new()
    }
}
