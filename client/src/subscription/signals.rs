//! [`WithSignals`]: a subscription that reports whether its events are live.

use crate::values::Position;

/// An item of a subscription with signals.
#[derive(Debug, Clone, PartialEq)]
pub enum Followed<T> {
    /// An event.
    Event(T),
    /// All matching events up to this position have been handed out. When the subscription last
    /// read, this was everything that could be read (the safe position). The next events are live.
    /// Also given at the start if there is nothing to catch up with.
    CaughtUp {
        /// The safe position at the last read, or the position of its last event.
        position: Position,
    },
    /// After it had caught up, the subscription found more events than fit in a page. Until it
    /// catches up again, its events are not live.
    FellBehind {
        /// The position of the subscription.
        position: Position,
    },
}

/// A subscription with signals between its events. [`CaughtUp`](Followed::CaughtUp) comes first,
/// then [`FellBehind`](Followed::FellBehind) and `CaughtUp` alternate.
#[derive(Debug)]
#[must_use = "a subscription does nothing unless polled"]
pub struct WithSignals<S>(pub(super) S);

impl<S> WithSignals<S> {
    pub(crate) fn new(subscription: S) -> Self {
        Self(subscription)
    }

    /// The subscription without signals.
    pub fn into_inner(self) -> S {
        self.0
    }
}
