//! Parked events, and streams that wait for them.

use std::collections::HashSet;
use std::time::{Instant, SystemTime};

use super::{Delivery, ParkedEntry, SubscriptionState};
use crate::durable::{OnParked, ParkedEvent};
use crate::memory::log::Log;
use crate::store::StoreError;
use crate::values::{Position, StreamId};

impl SubscriptionState {
    pub(in crate::memory) fn parked(
        &self,
        after: Position,
        max_events: u32,
        log: &Log,
    ) -> Vec<ParkedEvent> {
        let parked = self
            .parked
            .iter()
            .filter(|(position, parked)| **position > after && !parked.waits);
        parked
            .filter_map(|(position, parked)| {
                Some(ParkedEvent {
                    event: log.event(*position)?.clone(),
                    attempts: parked.attempts,
                    reason: parked.reason.clone(),
                    parked_at: parked.at,
                    consumer: parked.consumer.clone(),
                })
            })
            .take(max_events as usize)
            .collect()
    }

    /// Removes parked events, either to deliver them again or to discard them, and lets their
    /// streams continue.
    pub(in crate::memory) fn unpark(
        &mut self,
        positions: Option<&[Position]>,
        deliver_them: bool,
    ) -> Result<u64, StoreError> {
        let failed = |parked: &ParkedEntry| !parked.waits;
        let wanted: Vec<_> = match positions {
            Some(positions) => positions.to_vec(),
            None => self
                .parked
                .iter()
                .filter(|(_, parked)| failed(parked))
                .map(|(position, _)| *position)
                .collect(),
        };
        let missing = wanted
            .iter()
            .find(|position| !self.parked.get(position).is_some_and(failed));
        if let Some(missing) = missing {
            let reason = format!("contains {missing}, which is not parked");
            return Err(StoreError::malformed("positions", None, reason));
        }
        let mut streams = HashSet::new();
        for position in &wanted {
            let Some(parked) = self.parked.remove(position) else {
                continue;
            };
            streams.insert(parked.stream_id.clone());
            if deliver_them {
                let delivery = Delivery::again(parked.stream_id, true);
                self.deliveries.insert(*position, delivery);
            }
        }
        self.go_on(streams);
        Ok(wanted.len() as u64)
    }

    /// Parks events that wait to be delivered again, for a person. Returns how many were not parked
    /// before.
    pub(in crate::memory) fn set_aside(
        &mut self,
        positions: &[Position],
        reason: Option<&str>,
    ) -> Result<u64, StoreError> {
        self.take_back_expired(Instant::now());
        let is_parked = |of: &Self, position: &Position| {
            let parked = of.parked.get(position);
            parked.is_some_and(|parked| !parked.waits)
        };
        let waits_behind = |parked: &ParkedEntry| parked.waits && parked.was_delivered;
        let waits = |delivery: &Delivery| delivery.held.is_none() && delivery.was_delivered;
        let refused = positions.iter().filter(|position| {
            !is_parked(self, position)
                && !self.deliveries.get(position).is_some_and(waits)
                && !self.parked.get(position).is_some_and(waits_behind)
        });
        if let Some(position) = refused.min() {
            let reason = match self.deliveries.get(position).and_then(Delivery::holder) {
                Some(consumer) => format!("has {position}, which consumer {consumer:?} has leased"),
                None => format!("has {position}, which does not wait to be delivered again"),
            };
            return Err(StoreError::malformed("positions", None, reason));
        }
        let reason = reason.unwrap_or("set aside").to_owned();
        let mut count = 0;
        for position in positions {
            if is_parked(self, position) {
                continue;
            }
            count += 1;
            if let Some(parked) = self.parked.get_mut(position) {
                parked.waits = false;
                parked.attempts = parked.attempts.max(1);
                parked.at = SystemTime::now();
                parked.reason = Some(reason.clone());
                continue;
            }
            let attempts = self.deliveries.get(position);
            let attempts = attempts.map_or(1, |of| of.failures.max(of.expiries).max(1));
            self.park(*position, Some(reason.clone()));
            if let Some(parked) = self.parked.get_mut(position) {
                parked.attempts = attempts;
            }
        }
        Ok(count)
    }

    /// Parks an event, and if the subscription stops at parked events also the later ones of its
    /// stream. Returns the later ones.
    pub(super) fn park(&mut self, position: Position, reason: Option<String>) -> Vec<Position> {
        let Some(failed) = self.deliveries.remove(&position) else {
            return Vec::new();
        };
        let stream_id = failed.stream_id.clone();
        let parked = ParkedEntry {
            stream_id: failed.stream_id,
            at: SystemTime::now(),
            attempts: failed.failures + 1,
            waits: false,
            was_delivered: true,
            consumer: failed.consumer,
            reason,
        };
        self.parked.insert(position, parked);
        if self.definition.on_parked == OnParked::Continue {
            return Vec::new();
        }
        let later: Vec<_> = self
            .deliveries
            .range(position..)
            .filter(|(_, delivery)| delivery.stream_id == stream_id)
            .map(|(position, _)| *position)
            .collect();
        for position in &later {
            if let Some(delivery) = self.deliveries.remove(position) {
                self.hold(*position, delivery);
            }
        }
        later
    }

    /// Makes an event wait behind a parked one of its stream.
    pub(super) fn hold(&mut self, position: Position, delivery: Delivery) {
        let parked = ParkedEntry {
            stream_id: delivery.stream_id,
            at: SystemTime::now(),
            attempts: delivery.failures,
            waits: true,
            was_delivered: delivery.was_delivered,
            consumer: delivery.consumer,
            reason: None,
        };
        self.parked.insert(position, parked);
    }

    /// Whether later events of the stream must wait for a parked one.
    pub(super) fn is_stopped(&self, stream_id: &StreamId) -> bool {
        self.definition.on_parked == OnParked::Stop
            && self
                .parked
                .values()
                .any(|parked| parked.stream_id == *stream_id)
    }

    /// Delivers the events that waited in these streams, unless another event of the stream is
    /// parked.
    fn go_on(&mut self, mut streams: HashSet<StreamId>) {
        streams.retain(|stream_id| {
            let mut others = self.parked.values();
            !others.any(|parked| !parked.waits && parked.stream_id == *stream_id)
        });
        let free: Vec<_> = self
            .parked
            .iter()
            .filter(|(_, parked)| parked.waits && streams.contains(&parked.stream_id))
            .map(|(position, _)| *position)
            .collect();
        for position in free {
            if let Some(parked) = self.parked.remove(&position) {
                let delivery = Delivery::again(parked.stream_id, parked.was_delivered);
                self.deliveries.insert(position, delivery);
            }
        }
    }
}
