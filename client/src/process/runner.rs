//! [`Runner`]: consumes events and timeouts, and handles each.

use std::convert::Infallible;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::error::Kind;
use super::handle::TriggerHandler;
use super::input::Input;
use super::names::Names;
use super::record::{DueTimeout, Moment, Timeout, correlation};
use super::{ProcessError, ProcessManager, ProcessOptions};
use crate::consumer::{Consumer, Delivery};
use crate::consumer::{Receipt, reason};
use crate::durable::{Nack, SubscriptionDefinition, SubscriptionStore};
use crate::subscription::FollowError;
use crate::values::{Position, ProcessId, SubscriptionName};

/// The longest delay that a runner requests; stores accept up to a year.
const LONGEST_DELAY: Duration = Duration::from_secs(300 * 24 * 60 * 60);

/// One runner of a process manager.
pub(super) struct Runner<'a, S, P> {
    pub(super) store: &'a S,
    pub(super) manager: &'a P,
    pub(super) options: &'a ProcessOptions,
    pub(super) names: Names,
}

type Events<S, P> = Consumer<<P as ProcessManager<S>>::Event, S>;

type Timeouts<S> = Consumer<Timeout, S>;

impl<S, P> Runner<'_, S, P>
where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<S>,
{
    /// Consumes both in one task.
    pub(super) async fn for_ever(
        &self,
        events: Events<S, P>,
        timeouts: Timeouts<S>,
    ) -> Result<Infallible, ProcessError> {
        let mut events = pin!(self.events(events));
        let mut timeouts = pin!(self.timeouts(timeouts));
        std::future::poll_fn(|cx| match events.as_mut().poll(cx) {
            Poll::Ready(stopped) => Poll::Ready(stopped),
            Poll::Pending => timeouts.as_mut().poll(cx),
        })
        .await
    }

    async fn events(&self, mut events: Events<S, P>) -> Result<Infallible, ProcessError> {
        loop {
            match events.next_delivery().await {
                // A failure has been reported and the trigger given back.
                Ok(delivery) => drop(self.event(delivery).await),
                Err(error) => self.cannot_deliver(error, false)?,
            }
        }
    }

    async fn timeouts(&self, mut timeouts: Timeouts<S>) -> Result<Infallible, ProcessError> {
        loop {
            match timeouts.next_delivery().await {
                // Likewise.
                Ok(delivery) => drop(self.timeout(delivery).await),
                Err(error) => self.cannot_deliver(error, false)?,
            }
        }
    }

    pub(super) async fn until_idle(
        &self,
        mut events: Events<S, P>,
        mut timeouts: Timeouts<S>,
    ) -> Result<(), ProcessError> {
        let done = self.all_there_is(&mut events, &mut timeouts).await;
        let closed = [events.close().await, timeouts.close().await];
        done?;
        for closed in closed {
            closed.map_err(|error| self.failed(Kind::Store(error)))?;
        }
        Ok(())
    }

    async fn all_there_is(
        &self,
        events: &mut Events<S, P>,
        timeouts: &mut Timeouts<S>,
    ) -> Result<(), ProcessError> {
        loop {
            let mut is_idle = true;
            while let Some(delivered) = events.next_delivery_now().await.transpose() {
                match delivered {
                    Ok(delivery) => self.event(delivery).await?,
                    Err(error) => self.cannot_deliver(error, true)?,
                }
                is_idle = false;
            }
            while let Some(delivered) = timeouts.next_delivery_now().await.transpose() {
                match delivered {
                    Ok(delivery) => is_idle &= !self.timeout(delivery).await?,
                    Err(error) => self.cannot_deliver(error, true)?,
                }
            }
            if is_idle {
                return Ok(());
            }
        }
    }

    /// Handles an event, if it belongs to a process.
    async fn event(&self, delivery: Delivery<P::Event, S>) -> Result<(), ProcessError> {
        let (event, receipt) = delivery.into_parts();
        let Some(process) = self.manager.process_of(&event) else {
            receipt.handled();
            return Ok(());
        };
        let position = event.position;
        self.handle(&process, &Input::Event(event), position, receipt)
            .await
    }

    /// Handles a timeout if it is due; otherwise gives it back until then. Returns whether it was
    /// due.
    async fn timeout(&self, delivery: Delivery<Timeout, S>) -> Result<bool, ProcessError> {
        let left = delivery.event.due.since(Moment::now());
        if !left.is_zero() {
            // Delays are in whole milliseconds.
            let delay = left.min(LONGEST_DELAY) + Duration::from_millis(1);
            let not_due = Nack::retry().reason("the timeout is not due").delay(delay);
            let given_back = delivery.nack(not_due).await;
            given_back.map_err(|error| self.failed(Kind::Store(error)))?;
            return Ok(false);
        }
        let (stored, receipt) = delivery.into_parts();
        let due = DueTimeout {
            event_id: stored.event_id,
            name: stored.event.name,
            due: stored.event.due,
            correlation_id: correlation(stored.correlation_id, stored.event_id),
        };
        let input = Input::Timeout(due);
        self.handle(&stored.event.process, &input, stored.position, receipt)
            .await?;
        Ok(true)
    }

    /// Handles a trigger while its lease is extended, and answers its delivery.
    async fn handle(
        &self,
        process: &ProcessId,
        input: &Input<P::Event>,
        position: Position,
        receipt: Receipt<S>,
    ) -> Result<(), ProcessError> {
        let handling = async {
            let (store, manager) = (self.store, self.manager);
            let handling = TriggerHandler::new(store, manager, self.options, &self.names, process)
                .map_err(|error| error.of(process, input.event_id()))?;
            // On the heap, because the futures of stores are large.
            Box::pin(handling.handle(input, position)).await
        };
        match receipt.while_leased(handling).await {
            Ok(()) => {
                receipt.handled();
                Ok(())
            }
            Err(error) => {
                self.manager.on_error(&error);
                receipt.fail(Nack::retry().reason(reason(&error)));
                Err(error)
            }
        }
    }

    /// The consumer has already given back an event that cannot be decoded: only report it.
    fn cannot_deliver(&self, error: FollowError, ends: bool) -> Result<(), ProcessError> {
        let is_about_one = error.is_undecodable();
        let error = self.failed(Kind::Undecodable(error));
        if is_about_one {
            self.manager.on_error(&error);
        }
        if is_about_one && !ends {
            return Ok(());
        }
        Err(error)
    }

    pub(super) async fn create(
        &self,
        name: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<(), ProcessError> {
        let retry = &self.options.retry;
        let create = || self.store.create_subscription(name, definition);
        let created = retry.persist(self.store, create).await;
        created
            .map(drop)
            .map_err(|error| self.failed(Kind::Store(error)))
    }

    fn failed(&self, kind: Kind) -> ProcessError {
        ProcessError::new(&self.names.manager, kind)
    }
}
