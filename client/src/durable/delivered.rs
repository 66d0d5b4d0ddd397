//! What a durable subscription gives out, and what it has set aside.

use std::time::SystemTime;

use crate::store::RecordedEvent;
use crate::values::{ConsumerName, LeaseId, Position};

/// What one poll gave to a consumer: events to be acknowledged under one lease.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedBatch {
    /// The lease that holds all of them.
    pub lease_id: LeaseId,
    /// The events in position order. At least one.
    pub events: Vec<Delivered>,
}

/// An event that a consumer was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// How often it has been delivered and has failed, this time included: 1 for the first time.
    pub attempt: u32,
    /// The event.
    pub event: RecordedEvent,
}

/// An event that a durable subscription has set aside.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkedEvent {
    /// The event.
    pub event: RecordedEvent,
    /// How often it had been delivered.
    pub attempts: u32,
    /// Why it was parked.
    pub reason: Option<String>,
    /// When it was parked, by the store's clock.
    pub parked_at: SystemTime,
    /// The consumer that had it last.
    pub consumer: Option<ConsumerName>,
}

impl LeasedBatch {
    /// The positions of the events.
    pub fn positions(&self) -> Vec<Position> {
        let events = self.events.iter();
        events.map(|delivered| delivered.event.position).collect()
    }
}
