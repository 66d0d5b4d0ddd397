//! [`Consumer::run`]: calls a handler for each event.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::session::Session;
use super::{Consumer, reason};
use crate::durable::{Nack, SubscriptionStore};
use crate::store::{Event, StoredEvent};
use crate::subscription::FollowError;

/// Any error of a handler or of a projection. `?` converts other errors to it.
pub type HandlerError = Box<dyn Error + Send + Sync>;

/// How often to check the leases while a handler runs, if their duration is unknown.
const LOOK: Duration = Duration::from_secs(1);

impl<E: Event, S: SubscriptionStore> Consumer<E, S> {
    /// Calls the handler for each event, one after the other. An event is done when the handler
    /// returns `Ok`; events are acknowledged in batches. If the handler fails, the event is given
    /// back with the error as the reason and delivered again after a
    /// [delay](crate::ConsumerOptions::retry_delay). The lease is extended however long the handler
    /// takes.
    ///
    /// To stop it, drop the future, for example with a `select` of your runtime. Events that are
    /// not done are given back.
    ///
    /// # Errors
    ///
    /// The subscription does not exist (SE007), or the store refuses a request.
    pub async fn run<H, F>(mut self, mut handler: H) -> Result<Infallible, FollowError>
    where
        H: FnMut(StoredEvent<E>) -> F,
        F: Future<Output = Result<(), HandlerError>>,
    {
        loop {
            let delivery = match self.next_delivery().await {
                Ok(delivery) => delivery,
                // The event is given back already, and operators see the error as the reason.
                Err(error) if error.is_undecodable() => continue,
                Err(error) => return Err(error),
            };
            let (event, receipt) = delivery.into_parts();
            match receipt.while_leased(handler(event)).await {
                Ok(()) => receipt.handled(),
                Err(error) => receipt.fail(Nack::retry().reason(reason(&*error))),
            }
        }
    }
}

/// Runs `doing` and extends the leases meanwhile.
pub(super) async fn while_leased<S: SubscriptionStore, T>(
    session: &Session<S>,
    doing: impl Future<Output = T>,
) -> T {
    let mut doing = pin!(doing);
    let mut keeping = pin!(keep_leases(session));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(done) = doing.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        match keeping.as_mut().poll(cx) {
            Poll::Ready(never) => match never {},
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn keep_leases<S: SubscriptionStore>(session: &Session<S>) -> Infallible {
    loop {
        let lasts = session.leases().lasts();
        session
            .store
            .sleep(lasts.map_or(LOOK, |lasts| lasts / 4))
            .await;
        // If the store refuses now, it will refuse again when the event is answered.
        let _kept = session.keep_leases().await;
    }
}
