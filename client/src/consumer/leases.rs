//! The leases of a consumer, and the status of each of their events.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::durable::{Delivered, LeasedBatch, Nack};
use crate::values::{LeaseId, Position};

/// The shortest lease that a consumer assumes: extending more often than this allows is pointless.
const SHORTEST: Duration = Duration::from_millis(20);

/// The leases of a consumer, and the events that it has yet to hand out.
#[derive(Default)]
pub(super) struct Leases {
    buffer: VecDeque<LeasedEvent>,
    leases: Vec<Lease>,
    /// Whether there may be events to give back.
    has_failed: bool,
    /// The duration of a lease, once the store has reported it.
    lasts: Option<Duration>,
}

/// A leased event that is not handed out yet.
pub(super) struct LeasedEvent {
    pub(super) lease_id: LeaseId,
    pub(super) delivered: Delivered,
}

/// The status of an event in a lease.
pub(super) enum EventStatus {
    /// Not handed out yet.
    Waiting,
    /// Handed out and not answered yet, or being answered.
    HandedOut,
    /// Handled, to be acknowledged together with others.
    Handled,
    /// Failed, to be given back.
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

    /// The next event, unless something must be done first. `kept` means that the leases have just
    /// been extended; without it, a very short lease would block its events forever.
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

    /// Sets the status of an event, if the lease still holds it.
    pub(super) fn set(&mut self, lease_id: LeaseId, position: Position, status: EventStatus) {
        let lease = self.leases.iter_mut().find(|lease| lease.id == lease_id);
        if let Some(event) = lease.and_then(|lease| lease.events.get_mut(&position)) {
            self.has_failed |= matches!(status, EventStatus::Failed(_));
            *event = status;
        }
    }

    /// Removes events that the lease no longer holds.
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

    /// Removes a lease that no longer holds any events.
    pub(super) fn forget_all(&mut self, lease_id: LeaseId) {
        self.leases.retain(|lease| lease.id != lease_id);
        self.hand_out_only_what_is_held();
    }

    pub(super) fn ids(&self) -> Vec<LeaseId> {
        self.leases.iter().map(|lease| lease.id).collect()
    }

    /// The events to acknowledge.
    pub(super) fn handled(&self, lease_id: LeaseId) -> Vec<Position> {
        let lease = self.leases.iter().find(|lease| lease.id == lease_id);
        let events = lease.into_iter().flat_map(|lease| &lease.events);
        events
            .filter(|(_, status)| matches!(status, EventStatus::Handled))
            .map(|(position, _)| *position)
            .collect()
    }

    /// The first event to give back.
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

    /// The leases that are more than half over or whose duration is unknown.
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

    /// The duration of a lease, once it is known.
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
