//! [`WithSignals`]: a subscription that tells live events from those it catches up with.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::Subscription;
use super::error::FollowError;
use super::typed::TypedSubscription;
use crate::store::{Event, RecordedEvent, StoreError, StoredEvent};
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
pub struct WithSignals<S>(S);

impl<S> WithSignals<S> {
    pub(crate) fn new(subscription: S) -> Self {
        Self(subscription)
    }

    /// The subscription, without signals from here on.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl WithSignals<Subscription> {
    /// The next event or signal. It may be dropped and called again: nothing is lost.
    ///
    /// # Errors
    ///
    /// The store refuses to be read, or cannot be understood.
    pub async fn next_followed(&mut self) -> Result<Followed<RecordedEvent>, StoreError> {
        std::future::poll_fn(|cx| self.0.poll_followed(cx)).await
    }

    /// The position that everything of interest up to has been handed out.
    pub fn position(&self) -> Position {
        self.0.position()
    }
}

impl<E: Event> WithSignals<TypedSubscription<E>> {
    /// The next event or signal. It may be dropped and called again: nothing is lost.
    ///
    /// # Errors
    ///
    /// As [`TypedSubscription::next_event`].
    pub async fn next_followed(&mut self) -> Result<Followed<StoredEvent<E>>, FollowError> {
        std::future::poll_fn(|cx| self.0.poll_followed(cx)).await
    }

    /// The position that everything of interest up to has been handed out.
    pub fn position(&self) -> Position {
        self.0.position()
    }
}

impl Stream for WithSignals<Subscription> {
    type Item = Result<Followed<RecordedEvent>, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.0.poll_followed(cx))))
    }
}

impl<E: Event> Stream for WithSignals<TypedSubscription<E>> {
    type Item = Result<Followed<StoredEvent<E>>, FollowError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.0.poll_followed(cx))))
    }
}
