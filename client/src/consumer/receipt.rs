//! [`Receipt`]: the answer that a consumer owes for an event that was handed out.

use std::sync::Arc;

use super::leases::EventStatus;
use super::session::Session;
use crate::durable::{Nack, NackOutcome, SubscriptionStore};
use crate::store::StoreError;
use crate::values::{LeaseId, Position};

/// The result of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The event is done.
    Done,
    /// The lease no longer held the event: it had expired and the event was leased to another
    /// consumer, or the event was done already. The event may be handled twice.
    Void,
}

/// The answer that a consumer owes for an event. If it is dropped without an answer, the event is
/// given back as failed.
pub(crate) struct Receipt<S: SubscriptionStore + 'static> {
    pub(super) session: Arc<Session<S>>,
    pub(super) lease_id: LeaseId,
    pub(super) position: Position,
    pub(super) attempt: u32,
    /// The event's status after this is dropped.
    unless_answered: Option<EventStatus>,
}

impl<S: SubscriptionStore> Receipt<S> {
    pub(super) fn new(
        session: &Arc<Session<S>>,
        lease_id: LeaseId,
        position: Position,
        attempt: u32,
    ) -> Self {
        let nack = Nack::retry()
            .reason("the delivery was dropped without an answer")
            .delay(session.options.delay_after(attempt));
        Self {
            session: Arc::clone(session),
            lease_id,
            position,
            attempt,
            unless_answered: Some(EventStatus::Failed(nack)),
        }
    }

    pub(super) fn is_void(&self) -> bool {
        !self.session.leases().holds(self.lease_id, self.position)
    }

    pub(super) async fn ack(mut self) -> Result<Settled, StoreError> {
        if self.is_void() {
            return Ok(Settled::Void);
        }
        self.unless_answered = Some(EventStatus::Handled);
        let policy = &self.session.options.reconnect;
        let acked = self.session.ack(self.lease_id, vec![self.position], policy);
        let done = acked.await?;
        self.unless_answered = None;
        Ok(if done { Settled::Done } else { Settled::Void })
    }

    pub(super) async fn nack(mut self, nack: Nack) -> Result<Option<NackOutcome>, StoreError> {
        if self.is_void() {
            return Ok(None);
        }
        self.unless_answered = Some(EventStatus::Failed(nack.clone()));
        let policy = &self.session.options.reconnect;
        let nacked = self
            .session
            .nack(self.lease_id, self.position, &nack, policy);
        let outcome = nacked.await?;
        self.unless_answered = None;
        Ok(outcome)
    }

    /// To be acknowledged together with others.
    pub(crate) fn handled(mut self) {
        self.unless_answered = Some(EventStatus::Handled);
    }

    /// To be given back with a delay.
    pub(crate) fn fail(mut self, nack: Nack) {
        let delay = self.session.options.delay_after(self.attempt);
        self.unless_answered = Some(EventStatus::Failed(nack.delay(delay)));
    }

    /// Runs `doing` and extends the leases of the consumer meanwhile.
    pub(crate) async fn while_leased<T>(&self, doing: impl Future<Output = T>) -> T {
        super::run::while_leased(&self.session, doing).await
    }

    /// The event was acknowledged elsewhere.
    pub(super) fn settled(mut self) {
        self.unless_answered = None;
        self.session
            .leases()
            .forget(self.lease_id, &[self.position]);
    }
}

impl<S: SubscriptionStore> Drop for Receipt<S> {
    fn drop(&mut self) {
        if let Some(status) = self.unless_answered.take() {
            self.session
                .leases()
                .set(self.lease_id, self.position, status);
        }
    }
}
