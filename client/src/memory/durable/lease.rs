//! Polls and leases: events that wait come first, then new ones. Only one lease at a time holds
//! events of a stream.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{Delivery, SubscriptionState};
use crate::durable::{Delivered, LeasedBatch};
use crate::memory::log::Log;
use crate::store::{ReadAll, StoreError};
use crate::values::{ConsumerName, LeaseId, Position, StreamId};

/// The lease that holds an event, and when it expires.
#[derive(Clone, Copy)]
pub(super) struct LeaseHold {
    pub(super) by: LeaseId,
    until: Instant,
}

/// The result of a poll.
pub(super) enum PollAnswer {
    Batch(LeasedBatch),
    Nothing {
        /// When a retry is due or a lease expires.
        next_due: Option<Instant>,
    },
}

/// After this many expired leases an event is delivered alone, to find out whether it causes the
/// expiries.
const EXPIRIES_BEFORE_ALONE: u32 = 2;

impl SubscriptionState {
    pub(super) fn poll(
        &mut self,
        consumer: &ConsumerName,
        max_events: usize,
        log: &Log,
    ) -> PollAnswer {
        let now = Instant::now();
        if self.paused {
            return PollAnswer::Nothing { next_due: None };
        }
        self.take_back_expired(now);
        let (mut chosen, is_alone) = self.waiting(now, max_events);
        if !is_alone {
            self.read_new(max_events, &mut chosen, log);
        }
        if chosen.is_empty() {
            let next_due = self.next_due(now);
            return PollAnswer::Nothing { next_due };
        }
        PollAnswer::Batch(self.lease(&chosen, consumer, now, log))
    }

    pub(in crate::memory) fn extend_lease(
        &mut self,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        let until = self.lease_until(Instant::now());
        let mut extended = false;
        for delivery in self.deliveries.values_mut() {
            if let Some(held) = delivery.held.as_mut().filter(|held| held.by == lease_id) {
                held.until = until;
                extended = true;
            }
        }
        match extended {
            true => Ok(self.definition.lease),
            false => Err(StoreError::lease_lost(Vec::new())),
        }
    }

    /// Takes back events from expired leases. For an event that was alone in its lease this counts
    /// as a failure. With several events it is unknown which of them caused the expiry.
    pub(super) fn take_back_expired(&mut self, now: Instant) {
        let expired: Vec<(Position, LeaseId)> = self
            .deliveries
            .iter()
            .filter_map(|(position, delivery)| {
                let held = delivery.held.filter(|held| held.until <= now)?;
                Some((*position, held.by))
            })
            .collect();
        for (position, lease_id) in &expired {
            let alone = expired.iter().filter(|(_, by)| by == lease_id).count() == 1;
            let Some(delivery) = self.deliveries.get_mut(position) else {
                continue;
            };
            delivery.held = None;
            delivery.expiries += 1;
            if alone && delivery.failures >= self.definition.retry_limit {
                let consumer = delivery.consumer.as_ref().map_or("", |name| name.as_str());
                let reason = format!("the lease of consumer {consumer:?} ran out");
                self.park(*position, Some(reason));
            } else if alone {
                delivery.failures += 1;
            }
        }
    }

    /// Waiting events whose streams are not leased, in order; and whether the batch must not get
    /// further events.
    fn waiting(&self, now: Instant, max_events: usize) -> (Vec<Position>, bool) {
        let blocks = |delivery: &&Delivery| {
            delivery.held.is_some() || delivery.not_before.is_some_and(|due| due > now)
        };
        let blocked: HashSet<&StreamId> = self
            .deliveries
            .values()
            .filter(blocks)
            .map(|delivery| &delivery.stream_id)
            .collect();
        let mut chosen = Vec::new();
        for (position, delivery) in &self.deliveries {
            if chosen.len() == max_events {
                break;
            }
            if blocked.contains(&delivery.stream_id) {
                continue;
            }
            let suspected = delivery.expiries >= EXPIRIES_BEFORE_ALONE;
            if !suspected || chosen.is_empty() {
                chosen.push(*position);
            }
            if suspected {
                return (chosen, true);
            }
        }
        (chosen, false)
    }

    /// Lists new events, and chooses those whose streams are not leased, until there are enough.
    fn read_new(&mut self, max_events: usize, chosen: &mut Vec<Position>, log: &Log) {
        let out: HashSet<StreamId> = self
            .deliveries
            .iter()
            .filter(|(position, _)| chosen.binary_search(position).is_err())
            .map(|(_, delivery)| delivery.stream_id.clone())
            .collect();
        while chosen.len() < max_events && self.read_position < log.last_position() {
            let missing = u32::try_from(max_events - chosen.len()).unwrap_or(u32::MAX);
            let read = ReadAll::new()
                .after(self.read_position)
                .limit(missing)
                .filter(self.definition.filter.clone());
            let events = log.read_all(&read);
            self.read_position = match events.last() {
                Some(last) if events.len() >= missing as usize => last.position,
                _ => log.last_position(),
            };
            for event in events {
                if self.is_stopped(&event.stream_id) {
                    self.hold(event.position, Delivery::waiting(event.stream_id));
                    continue;
                }
                if !out.contains(&event.stream_id) {
                    chosen.push(event.position);
                }
                let delivery = Delivery::waiting(event.stream_id);
                self.deliveries.insert(event.position, delivery);
            }
        }
    }

    fn lease(
        &mut self,
        chosen: &[Position],
        consumer: &ConsumerName,
        now: Instant,
        log: &Log,
    ) -> LeasedBatch {
        let held = LeaseHold {
            by: LeaseId::new(),
            until: self.lease_until(now),
        };
        let events = chosen.iter().filter_map(|position| {
            let delivery = self.deliveries.get_mut(position)?;
            delivery.held = Some(held);
            delivery.consumer = Some(consumer.clone());
            delivery.was_delivered = true;
            Some(Delivered {
                attempt: delivery.failures + 1,
                event: log.event(*position)?.clone(),
            })
        });
        LeasedBatch {
            lease_id: held.by,
            events: events.collect(),
        }
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        let deliveries = self.deliveries.values();
        let due = deliveries
            .filter_map(|delivery| match delivery.held {
                Some(held) => Some(held.until),
                None => delivery.not_before,
            })
            .filter(|due| *due > now);
        due.min()
    }

    fn lease_until(&self, now: Instant) -> Instant {
        // Limited to what a clock can represent.
        let longest = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        now + self.definition.lease.min(longest)
    }
}
