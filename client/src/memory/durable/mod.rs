//! Durable subscriptions in memory, with the rules of the extension's `eventcore_poll`, `_ack`,
//! `_nack`, ….

mod check;
mod give_back;
mod lease;
mod parked;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::time::{Instant, SystemTime};

use self::lease::{LeaseHold, PollAnswer};
use super::log::Log;
use crate::durable::{LeasedBatch, StartFrom, SubscriptionDefinition};
use crate::store::StoreError;
use crate::values::{ConsumerName, LeaseId, Position, StreamId, SubscriptionName};

/// All subscriptions of a store.
#[derive(Default)]
pub(super) struct Subscriptions(HashMap<SubscriptionName, SubscriptionState>);

/// One subscription. A matching event up to `read_position` is in `deliveries`, in `parked`, or
/// done.
pub(super) struct SubscriptionState {
    definition: SubscriptionDefinition,
    paused: bool,
    read_position: Position,
    deliveries: BTreeMap<Position, Delivery>,
    parked: BTreeMap<Position, ParkedEntry>,
}

/// An event that a consumer holds, or that waits for one.
struct Delivery {
    stream_id: StreamId,
    failures: u32,
    /// How many leases of it have expired.
    expiries: u32,
    not_before: Option<Instant>,
    held: Option<LeaseHold>,
    /// The consumer that has it or had it last.
    consumer: Option<ConsumerName>,
    /// Whether a consumer has ever had it.
    was_delivered: bool,
}

/// A parked event.
struct ParkedEntry {
    stream_id: StreamId,
    at: SystemTime,
    attempts: u32,
    /// Whether it has not failed, but waits for an earlier event of its stream that has.
    waits: bool,
    was_delivered: bool,
    consumer: Option<ConsumerName>,
    reason: Option<String>,
}

impl Subscriptions {
    pub(super) fn create(
        &mut self,
        name: &SubscriptionName,
        definition: &SubscriptionDefinition,
        log: &Log,
    ) -> Result<bool, StoreError> {
        let read_position = check::definition(definition, log.last_position())?;
        if let Some(existing) = self.0.get(name) {
            return check::same(name, &existing.definition, definition).map(|()| false);
        }
        let created = SubscriptionState {
            definition: definition.clone(),
            paused: false,
            read_position,
            deliveries: BTreeMap::new(),
            parked: BTreeMap::new(),
        };
        self.0.insert(name.clone(), created);
        Ok(true)
    }

    pub(super) fn remove(&mut self, name: &SubscriptionName) -> Result<(), StoreError> {
        match self.0.remove(name) {
            Some(_) => Ok(()),
            None => Err(StoreError::unknown_name(name.as_str())),
        }
    }

    pub(super) fn get(&self, name: &SubscriptionName) -> Result<&SubscriptionState, StoreError> {
        self.0
            .get(name)
            .ok_or_else(|| StoreError::unknown_name(name.as_str()))
    }

    pub(super) fn change(
        &mut self,
        name: &SubscriptionName,
    ) -> Result<&mut SubscriptionState, StoreError> {
        self.0
            .get_mut(name)
            .ok_or_else(|| StoreError::unknown_name(name.as_str()))
    }

    /// The events for the consumer; if there are none, when to look again unless something changes
    /// before.
    pub(super) fn poll(
        &mut self,
        name: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        log: &Log,
    ) -> Result<Result<LeasedBatch, Option<Instant>>, StoreError> {
        check::max_events(max_events)?;
        let durable = self.change(name)?;
        Ok(match durable.poll(consumer, max_events as usize, log) {
            PollAnswer::Batch(batch) => Ok(batch),
            PollAnswer::Nothing { next_due } => Err(next_due),
        })
    }
}

impl SubscriptionState {
    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(super) fn reset(&mut self, after: Position, log: &Log) -> Result<(), StoreError> {
        check::not_past("after_position", after, log.last_position())?;
        self.deliveries.clear();
        self.parked.retain(|position, _| *position <= after);
        self.read_position = after;
        Ok(())
    }

    pub(super) fn ack(
        &mut self,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        for position in self.wanted(lease_id, positions)? {
            self.deliveries.remove(&position);
        }
        Ok(())
    }

    /// The positions, if the lease holds them; without positions, all events of the lease.
    fn wanted(
        &self,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<Vec<Position>, StoreError> {
        let holds = |delivery: &Delivery| delivery.held.is_some_and(|held| held.by == lease_id);
        let Some(positions) = positions else {
            let held = self.deliveries.iter();
            let held: Vec<_> = held
                .filter(|(_, delivery)| holds(delivery))
                .map(|(position, _)| *position)
                .collect();
            return match held.is_empty() {
                true => Err(StoreError::lease_lost(Vec::new())),
                false => Ok(held),
            };
        };
        let mut positions = positions.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let missing = positions.iter().copied();
        let missing: Vec<_> = missing
            .filter(|position| !self.deliveries.get(position).is_some_and(holds))
            .collect();
        match check::delivered(&missing, self.read_position)? {
            () if missing.is_empty() => Ok(positions),
            () => Err(StoreError::lease_lost(missing)),
        }
    }
}

impl Delivery {
    fn waiting(stream_id: StreamId) -> Self {
        Self {
            stream_id,
            failures: 0,
            expiries: 0,
            not_before: None,
            held: None,
            consumer: None,
            was_delivered: false,
        }
    }

    /// The consumer that has it now.
    fn holder(&self) -> Option<&ConsumerName> {
        self.held.and(self.consumer.as_ref())
    }

    /// One that was parked, or waited behind one that was.
    fn again(stream_id: StreamId, was_delivered: bool) -> Self {
        Self {
            was_delivered,
            ..Self::waiting(stream_id)
        }
    }
}

fn start(start: StartFrom, safe: Position) -> Position {
    match start {
        StartFrom::Start => Position::START,
        StartFrom::Now => safe,
        StartFrom::After(position) => position,
    }
}
