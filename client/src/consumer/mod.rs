//! [`Consumer`]: handles the events of a durable subscription, together with other consumers.

mod delivery;
mod leases;
mod options;
mod receipt;
mod run;
mod session;

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

pub use self::delivery::Delivery;
use self::leases::LeasedEvent;
pub use self::options::ConsumerOptions;
pub(crate) use self::receipt::Receipt;
pub use self::receipt::Settled;
pub use self::run::HandlerError;
use self::session::Session;
use crate::durable::{Nack, SubscriptionStore};
use crate::store::{Event, StoreError};
use crate::subscription::FollowError;
use crate::values::error_chain::chain;
use crate::values::{ConsumerName, SubscriptionName};

/// One consumer of a durable subscription: a never-ending stream of [`Delivery`]s. Acknowledge each
/// or give it back.
///
/// The consumer polls a batch after it has handed out the last one. It hands out one event at a
/// time, in the order of each stream. It extends the leases of unanswered events whenever it is
/// polled and while [`run`](Self::run) waits for a handler. If an event is given back for a retry,
/// the later events of its stream go back with it: they are no longer handed out, or their
/// deliveries are [void](Delivery::is_void).
///
/// An event that cannot be decoded is given back as failed and tried again after a while, perhaps
/// by a newer program. In the end it is parked. The stream returns the error.
///
/// The consumer reconnects after a lost connection. To stop it, call [`close`](Self::close), which
/// gives back all unanswered events. If it is dropped, it tries to do so in the background; events
/// that are not given back are delivered again when their lease has expired.
#[must_use = "a consumer does nothing unless polled"]
pub struct Consumer<E, S: SubscriptionStore + 'static> {
    session: Arc<Session<S>>,
    pending: Option<Pending>,
    undecodable: Option<FollowError>,
    event: PhantomData<fn() -> E>,
}

type Pending = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

impl<E: Event, S: SubscriptionStore + 'static> Consumer<E, S> {
    /// A consumer of this name, with the default [`ConsumerOptions`].
    pub fn new(store: S, subscription: SubscriptionName, consumer: ConsumerName) -> Self {
        Self::with_options(store, subscription, consumer, ConsumerOptions::new())
    }

    /// A consumer of this name.
    pub fn with_options(
        store: S,
        subscription: SubscriptionName,
        consumer: ConsumerName,
        options: ConsumerOptions,
    ) -> Self {
        Self {
            session: Arc::new(Session::new(store, subscription, consumer, options)),
            pending: None,
            undecodable: None,
            event: PhantomData,
        }
    }

    /// The next event, as soon as there is one. If the future is dropped, call the method again: no
    /// event is lost.
    ///
    /// # Errors
    ///
    /// The event is not an `E`; the subscription does not exist (SE007); or the store refuses the
    /// request. The method may be called again after each of these.
    pub async fn next_delivery(&mut self) -> Result<Delivery<E, S>, FollowError> {
        std::future::poll_fn(|cx| self.poll_delivery(cx)).await
    }

    /// The next event, if there is one now. Handled events are acknowledged before the store is
    /// polled.
    pub(crate) async fn next_delivery_now(
        &mut self,
    ) -> Result<Option<Delivery<E, S>>, FollowError> {
        let (mut kept, mut asked) = (false, false);
        loop {
            if let Some(pending) = &mut self.pending {
                let done = pending.as_mut().await;
                self.pending = None;
                done?;
                kept = true;
            }
            if let Some(error) = self.undecodable.take() {
                return Err(error);
            }
            match self.session.next(kept) {
                Some(next) => {
                    if let Some(delivery) = self.decode(next) {
                        return Ok(Some(delivery));
                    }
                }
                None if asked => return Ok(None),
                None => {
                    asked = true;
                    self.pending = Some(Box::pin(Arc::clone(&self.session).fill_now()));
                }
            }
        }
    }

    /// Acknowledges [handled](Delivery::handled) events and gives back all others. Unanswered
    /// deliveries become void.
    ///
    /// # Errors
    ///
    /// The store cannot be reached. Events that were not given back are delivered again when their
    /// lease has expired.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.pending = None;
        self.session.close().await
    }

    fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery<E, S>, FollowError>> {
        let mut kept = false;
        loop {
            if let Some(pending) = &mut self.pending {
                let done = ready!(pending.as_mut().poll(cx));
                self.pending = None;
                done?;
                kept = true;
            }
            if let Some(error) = self.undecodable.take() {
                return Poll::Ready(Err(error));
            }
            match self.session.next(kept) {
                Some(next) => {
                    if let Some(delivery) = self.decode(next) {
                        return Poll::Ready(Ok(delivery));
                    }
                }
                None => self.pending = Some(Box::pin(Arc::clone(&self.session).fill())),
            }
        }
    }

    /// The event as an `E`. If it cannot be decoded, it is given back first, and then the error is
    /// returned.
    fn decode(&mut self, next: LeasedEvent) -> Option<Delivery<E, S>> {
        let attempt = next.delivered.attempt;
        let position = next.delivered.event.position;
        let receipt = Receipt::new(&self.session, next.lease_id, position, attempt);
        match FollowError::decode_or_skip(next.delivered.event) {
            Ok(Some(event)) => Some(Delivery::new(event, receipt)),
            Ok(None) => {
                receipt.handled();
                None
            }
            Err(error) => {
                let nack = Nack::retry().reason(reason(&error));
                receipt.fail(nack);
                self.pending = Some(Box::pin(Arc::clone(&self.session).give_back_failed()));
                self.undecodable = Some(error);
                None
            }
        }
    }
}

impl<E, S: SubscriptionStore + 'static> Drop for Consumer<E, S> {
    fn drop(&mut self) {
        if self.session.is_closed() {
            return;
        }
        let work = Arc::clone(&self.session);
        self.session.store.in_background(async move {
            // There is no receiver for an error here. The lease will expire.
            let _given_back = work.close().await;
        });
    }
}

impl<E: Event, S: SubscriptionStore + 'static> Stream for Consumer<E, S> {
    type Item = Result<Delivery<E, S>, FollowError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_delivery(cx).map(Some)
    }
}

impl<E, S: SubscriptionStore + 'static> fmt::Debug for Consumer<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("subscription", &self.session.subscription)
            .field("consumer", &self.session.consumer)
            .finish_non_exhaustive()
    }
}

/// An error with all its sources, for operators.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    // PostgreSQL's text cannot hold this character.
    chain(error).replace('\0', "\u{fffd}")
}
