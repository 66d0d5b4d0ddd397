//! What a consumer has: leases, and how each of their events stands.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::durable::{Delivered, LeasedBatch, Nack};
use crate::values::{LeaseId, Position};

/// A lease that is shorter than this cannot be kept by looking after it more often.
const SHORTEST: Duration = Duration::from_millis(20);

/// The leases of a consumer and the events that are still to be handed out.
#[derive(Default)]
pub(super) struct Leases {
    buffer: VecDeque<LeasedEvent>,
    leases: Vec<Lease>,
    /// Whether there may be something to give back.
    has_failed: bool,
    /// How long a lease lasts, once the store has said so.
    lasts: Option<Duration>,
}

/// An event to be handed out.
pub(super) struct LeasedEvent {
    pub(super) lease_id: LeaseId,
    pub(super) delivered: Delivered,
}

/// How an event stands that a lease holds.
pub(super) enum EventStatus {
    /// To be handed out.
    Waiting,
    /// Handed out, and not answered or about to be.
    HandedOut,
    /// To be acknowledged with others.
    Handled,
    /// To be given back.
    Failed(Nack),
}

struct Lease {
    id: LeaseId,
    since: Instant,
    events: BTreeMap<Position, EventStatus>,
}

impl Leases {
    pub(super) fn add(&mut self, batch: LeasedBatch) {
        self.leases.push(Lease {
            id: batch.lease_id,
            since: Instant::now(),
            events: batch
                .positions()
                .into_iter()
                .map(|position| (position, EventStatus::Waiting))
                .collect(),
        });
        let lease_id = batch.lease_id;
        self.buffer
            .extend(batch.events.into_iter().map(|delivered| LeasedEvent {
                lease_id,
                delivered,
            }));
    }

    /// The next event, if nothing has to be done before it may be handed out. `kept`: the leases have
    /// just been kept, so that even a very short one does not status in the way for ever.
    pub(super) fn next(&mut self, kept: bool) -> Option<LeasedEvent> {
        if self.has_failed || (!kept && self.leases.iter().any(|lease| self.is_due(lease))) {
            return None;
        }
        let next = self.buffer.pop_front()?;
        self.set(
            next.lease_id,
            next.delivered.event.position,
            EventStatus::HandedOut,
        );
        Some(next)
    }

    pub(super) fn has_next(&self) -> bool {
        !self.buffer.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    pub(super) fn holds(&self, lease_id: LeaseId, position: Position) -> bool {
        let mut leases = self.leases.iter();
        leases.any(|lease| lease.id == lease_id && lease.events.contains_key(&position))
    }

    /// Notes how an event stands, if the lease still holds it.
    pub(super) fn set(&mut self, lease_id: LeaseId, position: Position, status: EventStatus) {
        let lease = self.leases.iter_mut().find(|lease| lease.id == lease_id);
        if let Some(event) = lease.and_then(|lease| lease.events.get_mut(&position)) {
            self.has_failed |= matches!(status, EventStatus::Failed(_));
            *event = status;
        }
    }

    /// The lease does not hold these any more.
    pub(super) fn forget(&mut self, lease_id: LeaseId, positions: &[Position]) {
        let Some(lease) = self.leases.iter_mut().find(|lease| lease.id == lease_id) else {
            return;
        };
        let mut was_waiting = false;
        for position in positions {
            was_waiting |= matches!(lease.events.remove(position), Some(EventStatus::Waiting));
        }
        if lease.events.is_empty() {
            self.leases.retain(|lease| lease.id != lease_id);
        }
        if was_waiting {
            self.hand_out_only_what_is_held();
        }
    }

    /// The lease holds nothing any more.
    pub(super) fn forget_all(&mut self, lease_id: LeaseId) {
        self.leases.retain(|lease| lease.id != lease_id);
        self.hand_out_only_what_is_held();
    }

    pub(super) fn ids(&self) -> Vec<LeaseId> {
        self.leases.iter().map(|lease| lease.id).collect()
    }

    /// What is to be acknowledged.
    pub(super) fn handled(&self, lease_id: LeaseId) -> Vec<Position> {
        let lease = self.leases.iter().find(|lease| lease.id == lease_id);
        let events = lease.into_iter().flat_map(|lease| &lease.events);
        events
            .filter(|(_, status)| matches!(status, EventStatus::Handled))
            .map(|(position, _)| *position)
            .collect()
    }

    /// The first event that is to be given back.
    pub(super) fn failed(&mut self) -> Option<(LeaseId, Position, Nack)> {
        if !self.has_failed {
            return None;
        }
        let failed = self.leases.iter().find_map(|lease| {
            lease
                .events
                .iter()
                .find_map(|(position, status)| match status {
                    EventStatus::Failed(nack) => Some((lease.id, *position, nack.clone())),
                    _ => None,
                })
        });
        self.has_failed = failed.is_some();
        failed
    }

    /// The leases that are more than half over, or of unknown length.
    pub(super) fn due(&self) -> Vec<LeaseId> {
        let leases = self.leases.iter();
        leases
            .filter(|lease| self.is_due(lease))
            .map(|lease| lease.id)
            .collect()
    }

    pub(super) fn extended(&mut self, lease_id: LeaseId, lasts: Duration, asked: Instant) {
        self.lasts = Some(lasts.max(SHORTEST));
        if let Some(lease) = self.leases.iter_mut().find(|lease| lease.id == lease_id) {
            lease.since = asked;
        }
    }

    /// How long a lease lasts, once that is known.
    pub(super) fn lasts(&self) -> Option<Duration> {
        self.lasts
    }

    fn is_due(&self, lease: &Lease) -> bool {
        self.lasts
            .is_none_or(|lasts| lease.since.elapsed() > lasts / 2)
    }

    fn hand_out_only_what_is_held(&mut self) {
        let leases = &self.leases;
        self.buffer.retain(|next| {
            leases.iter().any(|lease| {
                lease.id == next.lease_id
                    && lease.events.contains_key(&next.delivered.event.position)
            })
        });
    }
}
