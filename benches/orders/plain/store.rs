//! Envelopes in memory, in the order in which they came.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::{Answer, Failure, OrderEvent};

/// A stored event.
#[derive(Debug, Clone)]
#[expect(
    dead_code,
    reason = "an envelope carries what a program may want of it"
)]
pub(crate) struct Envelope {
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) aggregate_id: Uuid,
    pub(crate) aggregate_type: String,
    pub(crate) version: u64,
    pub(crate) timestamp: Timestamp,
    pub(crate) payload: Value,
    pub(crate) metadata: HashMap<String, Value>,
}

pub(crate) trait EventStore: Send + Sync {
    /// The version after the append. With `expected`, only if the aggregate is at that version.
    fn append(&self, events: Vec<Envelope>, expected: Option<u64>) -> Answer<'_, u64>;
    fn of_aggregate(&self, aggregate: Uuid) -> Answer<'_, Vec<Envelope>>;
    /// All events by time.
    fn all(&self) -> Answer<'_, Vec<Envelope>>;
}

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<RwLock<Vec<Envelope>>>);

impl EventStore for Memory {
    fn append(&self, events: Vec<Envelope>, expected: Option<u64>) -> Answer<'_, u64> {
        Box::pin(async move {
            let Some(first) = events.first() else {
                return Ok(0);
            };
            let mut stored = self.0.write().await;
            let of_it = stored
                .iter()
                .filter(|event| event.aggregate_id == first.aggregate_id);
            let actual = of_it.map(|event| event.version).max().unwrap_or(0);
            // A version is taken only once, also without an expected one.
            let expected = expected.unwrap_or(actual);
            if expected != actual || first.version != actual + 1 {
                return Err(Failure::Conflict { expected, actual });
            }
            let last = actual + events.len() as u64;
            stored.extend(events);
            Ok(last)
        })
    }

    fn of_aggregate(&self, aggregate: Uuid) -> Answer<'_, Vec<Envelope>> {
        Box::pin(async move {
            let stored = self.0.read().await;
            let of_it = stored
                .iter()
                .filter(|event| event.aggregate_id == aggregate);
            let mut events: Vec<_> = of_it.cloned().collect();
            events.sort_by_key(|event| event.version);
            Ok(events)
        })
    }

    fn all(&self) -> Answer<'_, Vec<Envelope>> {
        Box::pin(async move {
            let mut events = self.0.read().await.clone();
            events.sort_by_key(|event| event.timestamp);
            Ok(events)
        })
    }
}

/// Envelopes for these events of one order, from the version after `base` on.
pub(crate) fn envelopes(
    order: Uuid,
    base: u64,
    events: &[OrderEvent],
) -> Result<Vec<Envelope>, Failure> {
    let events = events.iter().zip(base + 1..);
    let envelopes = events.map(|(event, version)| {
        Ok(Envelope {
            event_id: Uuid::new_v4(),
            event_type: event.name().to_owned(),
            aggregate_id: order,
            aggregate_type: "Order".to_owned(),
            version,
            timestamp: Timestamp::now(),
            payload: serde_json::to_value(event)?,
            metadata: HashMap::new(),
        })
    });
    envelopes.collect()
}
