//! The events that a durable subscription delivers, and those that it has parked.

use std::time::SystemTime;

use crate::store::RecordedEvent;
use crate::values::{ConsumerName, LeaseId, Position};

/// The events that one poll returned to a consumer, to be acknowledged under one lease.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedBatch {
    /// The lease that holds all of them.
    pub lease_id: LeaseId,
    /// The events in position order. At least one.
    pub events: Vec<Delivered>,
}

/// An event that was delivered to a consumer.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The number of this delivery: 1 for the first, and one more after each failure.
    pub attempt: u32,
    /// The event.
    pub event: RecordedEvent,
}

/// An event that a durable subscription has parked.
#[derive(Debug, Clone, PartialEq)]
pub struct ParkedEvent {
    /// The event.
    pub event: RecordedEvent,
    /// How many times it was delivered.
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
