//! [`TypedSubscription`]: a catch-up subscription with events of your own type.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::catch_up::Subscription;
use super::error::FollowError;
use super::signals::{Followed, WithSignals};
use crate::store::{Event, StoredEvent};
use crate::values::Position;

/// All events of your type `E` in position order, each exactly once, including future ones. The
/// stream never ends.
///
/// An event with an unknown type or a payload that does not fit is an error that names the event
/// ([`FollowError::is_undecodable`]); the next item is the event after it. To leave out events of
/// other types, subscribe with a [`Filter`](crate::Filter).
#[must_use = "a subscription does nothing unless polled"]
pub struct TypedSubscription<E> {
    subscription: Subscription,
    event: PhantomData<fn() -> E>,
}

impl Subscription {
    /// The same events as your own type. An event that cannot be decoded is an error that names it,
    /// and the subscription continues after it.
    pub fn typed<E: Event>(self) -> TypedSubscription<E> {
        TypedSubscription {
            subscription: self,
            event: PhantomData,
        }
    }
}

impl<E: Event> TypedSubscription<E> {
    /// The same events, with signals in between that report whether the subscription has caught up.
    pub fn with_signals(self) -> WithSignals<Self> {
        WithSignals::new(self)
    }

    /// The next event, as soon as there is one. If the future is dropped, call the method again: no
    /// event is lost.
    ///
    /// # Errors
    ///
    /// The event is not an `E`, the store refuses the read, or its answer cannot be understood.
    pub async fn next_event(&mut self) -> Result<StoredEvent<E>, FollowError> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// All matching events up to this position have been handed out. To continue from here later,
    /// subscribe [after](crate::Subscribe::after) it.
    pub fn position(&self) -> Position {
        self.subscription.position()
    }

    pub(crate) fn poll_followed(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Followed<StoredEvent<E>>, FollowError>> {
        loop {
            let followed = match ready!(self.subscription.poll_followed(cx))? {
                Followed::Event(event) => match FollowError::decode_or_skip(event)? {
                    Some(event) => Followed::Event(event),
                    None => continue,
                },
                Followed::CaughtUp { position } => Followed::CaughtUp { position },
                Followed::FellBehind { position } => Followed::FellBehind { position },
            };
            return Poll::Ready(Ok(followed));
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<StoredEvent<E>, FollowError>> {
        loop {
            let event = ready!(self.subscription.poll_event(cx))?;
            if let Some(event) = FollowError::decode_or_skip(event)? {
                return Poll::Ready(Ok(event));
            }
        }
    }
}

impl<E: Event> WithSignals<TypedSubscription<E>> {
    /// The next event or signal. If the future is dropped, call the method again: nothing is lost.
    ///
    /// # Errors
    ///
    /// Like [`TypedSubscription::next_event`].
    pub async fn next_followed(&mut self) -> Result<Followed<StoredEvent<E>>, FollowError> {
        std::future::poll_fn(|cx| self.0.poll_followed(cx)).await
    }

    /// All matching events up to this position have been handed out.
    pub fn position(&self) -> Position {
        self.0.position()
    }
}

impl<E: Event> Stream for TypedSubscription<E> {
    type Item = Result<StoredEvent<E>, FollowError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx).map(Some)
    }
}

impl<E: Event> Stream for WithSignals<TypedSubscription<E>> {
    type Item = Result<Followed<StoredEvent<E>>, FollowError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.0.poll_followed(cx))))
    }
}

impl<E> fmt::Debug for TypedSubscription<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subscription.fmt(f)
    }
}
