//! [`WithSignals`]: a subscription that tells live events from those it catches up with.

use crate::values::Position;

/// What a subscription with signals hands out.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed<T> {
    /// An event.
    Event(T),
    /// Everything of interest up to this position has been handed out, which was all that could be read
    /// (the safe position) when the subscription read last. What comes next is live. Also told at the
    /// start when there was nothing to catch up with.
    CaughtUp {
        /// The safe position of the last read, or the last event of it.
        position: Position,
    },
    /// After it had caught up, there is more to read at once than a page holds: until it catches up
    /// again, what comes next is not live.
    FellBehind {
        /// Where it is.
        position: Position,
    },
}

/// A subscription with signals between its events: [`CaughtUp`](Followed::CaughtUp) and
/// [`FellBehind`](Followed::FellBehind), always in turns, `CaughtUp` first.
#[derive(Debug)]
#[must_use = "a subscription does nothing unless polled"]
pub struct WithSignals<S>(pub(super) S);

impl<S> WithSignals<S> {
    pub(crate) fn new(subscription: S) -> Self {
        Self(subscription)
    }

    /// The subscription, without signals from here on.
    pub fn into_inner(self) -> S {
        self.0
    }
}
