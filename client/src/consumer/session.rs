//! [`Session`]: what a consumer asks of its store: polls, extended leases and answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::leases::{LeasedEvent, Leases};
use super::options::ConsumerOptions;
use crate::durable::{Nack, NackOutcome, SubscriptionStore};
use crate::execute::RetryPolicy;
use crate::store::StoreError;
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

/// The longest wait of one poll. Between polls, answers that were given meanwhile are sent.
const WAIT: Duration = Duration::from_secs(1);

/// What a consumer shares with its deliveries.
pub(super) struct Session<S> {
    pub(super) store: S,
    pub(super) subscription: SubscriptionName,
    pub(super) consumer: ConsumerName,
    pub(super) options: ConsumerOptions,
    leases: Mutex<Leases>,
    closed: AtomicBool,
}

impl<S: SubscriptionStore> Session<S> {
    pub(super) fn new(
        store: S,
        subscription: SubscriptionName,
        consumer: ConsumerName,
        options: ConsumerOptions,
    ) -> Self {
        Self {
            store,
            subscription,
            consumer,
            options,
            leases: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next(&self, kept: bool) -> Option<LeasedEvent> {
        self.leases().next(kept)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Does the work that is due before another event may be handed out, and polls until there is
    /// an event.
    pub(super) async fn fill(self: Arc<Self>) -> Result<(), StoreError> {
        loop {
            self.ask_for_more(|| self.wait()).await?;
            if self.leases().has_next() {
                return Ok(());
            }
        }
    }

    /// The same with a single poll, which may find nothing.
    pub(super) async fn fill_now(self: Arc<Self>) -> Result<(), StoreError> {
        self.ask_for_more(|| Duration::ZERO).await
    }

    async fn ask_for_more(&self, wait: impl Fn() -> Duration) -> Result<(), StoreError> {
        self.give_back_all_failed(&self.options.reconnect).await?;
        self.keep_leases().await?;
        if self.leases().has_next() {
            return Ok(());
        }
        self.acknowledge_handled(&self.options.reconnect).await?;
        let batch = self.options.reconnect.persist(&self.store, || {
            self.store.poll_subscription(
                &self.subscription,
                &self.consumer,
                self.options.batch,
                wait(),
            )
        });
        if let Some(batch) = batch.await? {
            self.leases().add(batch);
        }
        Ok(())
    }

    /// Gives back events that were dropped without an answer or could not be decoded.
    pub(super) async fn give_back_failed(self: Arc<Self>) -> Result<(), StoreError> {
        self.give_back_all_failed(&self.options.reconnect).await
    }

    /// Extends leases that are more than half over or whose duration is unknown. Each only once:
    /// with a very short lease this would never end otherwise.
    pub(super) async fn keep_leases(&self) -> Result<(), StoreError> {
        let due = self.leases().due();
        for lease_id in due {
            self.acknowledge(lease_id, &self.options.reconnect).await?;
            if !self.leases().ids().contains(&lease_id) {
                continue;
            }
            let asked = Instant::now();
            let extended = self.options.reconnect.persist(&self.store, || {
                self.store.extend_lease(&self.subscription, lease_id)
            });
            match extended.await {
                Ok(lasts) => self.leases().extended(lease_id, lasts, asked),
                Err(error) if is_void(&error) => self.leases().forget_all(lease_id),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends an acknowledgement. Returns whether it was effective for all events. If the lease no
    /// longer holds an event this is not an error: the event is done already, or another consumer
    /// has it.
    pub(super) async fn ack(
        &self,
        lease_id: LeaseId,
        mut positions: Vec<Position>,
        policy: &RetryPolicy,
    ) -> Result<bool, StoreError> {
        let mut all = true;
        while !positions.is_empty() {
            let acked = policy.persist(&self.store, || {
                self.store
                    .ack(&self.subscription, lease_id, Some(&positions))
            });
            match acked.await {
                Ok(()) => {
                    self.leases().forget(lease_id, &positions);
                    break;
                }
                Err(error) if is_void(&error) => {
                    all = false;
                    let lost = lost(&error, &positions);
                    self.leases().forget(lease_id, &lost);
                    positions.retain(|position| !lost.contains(position));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Gives one event back. Returns what the store did with it; `None` if the lease no longer
    /// holds it.
    pub(super) async fn nack(
        &self,
        lease_id: LeaseId,
        position: Position,
        nack: &Nack,
        policy: &RetryPolicy,
    ) -> Result<Option<NackOutcome>, StoreError> {
        let positions = [position];
        let nacked = policy.persist(&self.store, || {
            self.store
                .nack(&self.subscription, lease_id, Some(&positions), nack)
        });
        match nacked.await {
            Ok(outcomes) => {
                let given_back: Vec<_> = outcomes.iter().map(|(position, _)| *position).collect();
                self.leases().forget(lease_id, &given_back);
                let mut outcomes = outcomes.into_iter();
                Ok(outcomes
                    .find(|(given, _)| *given == position)
                    .map(|(_, outcome)| outcome))
            }
            Err(error) if is_void(&error) => {
                self.leases().forget(lease_id, &[position]);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends all answers and gives back the rest. If the store cannot be reached, this gives up
    /// sooner than usual, because leases expire by themselves.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::Release);
        let policy = RetryPolicy::default();
        self.give_back_all_failed(&policy).await?;
        self.acknowledge_handled(&policy).await?;
        let (ids, release) = (self.leases().ids(), Nack::release());
        for lease_id in ids {
            self.leases().forget_all(lease_id);
            let released = policy.persist(&self.store, || {
                self.store
                    .nack(&self.subscription, lease_id, None, &release)
            });
            match released.await {
                Err(error) if !is_void(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn give_back_all_failed(&self, policy: &RetryPolicy) -> Result<(), StoreError> {
        loop {
            let Some((lease_id, position, nack)) = self.leases().failed() else {
                return Ok(());
            };
            self.nack(lease_id, position, &nack, policy).await?;
        }
    }

    async fn acknowledge_handled(&self, policy: &RetryPolicy) -> Result<(), StoreError> {
        let ids = self.leases().ids();
        for lease_id in ids {
            self.acknowledge(lease_id, policy).await?;
        }
        Ok(())
    }

    async fn acknowledge(&self, lease_id: LeaseId, policy: &RetryPolicy) -> Result<(), StoreError> {
        let handled = self.leases().handled(lease_id);
        self.ack(lease_id, handled, policy).await.map(drop)
    }

    /// How long to wait for events: only briefly if leases must be extended meanwhile.
    fn wait(&self) -> Duration {
        let leases = self.leases();
        match leases.lasts() {
            Some(lasts) if !leases.is_empty() => WAIT.min(lasts / 4),
            _ => WAIT,
        }
    }
}

/// Whether a lease does not hold the events. After a reset the store does not know that it ever
/// delivered them.
fn is_void(error: &StoreError) -> bool {
    error.is_lease_lost() || error.argument() == Some("positions")
}

/// Which of these events the lease does not hold.
fn lost(error: &StoreError, asked: &[Position]) -> Vec<Position> {
    let known = error.lost_positions().iter().copied();
    let lost: Vec<_> = known.filter(|position| asked.contains(position)).collect();
    match lost.is_empty() {
        true => asked.to_vec(),
        false => lost,
    }
}
