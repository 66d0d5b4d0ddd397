//! The reference: a loop of load, apply and append as in many event-sourcing libraries in Rust,
//! with string envelopes and JSON trees behind a lock, through a trait with boxed futures.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::RwLock;
use uuid::Uuid;

use crate::orders::{Created, ItemAdded, Order, Submitted};

/// A stored event.
#[derive(Debug, Clone)]
#[expect(
    dead_code,
    reason = "an envelope carries what a program may want of it"
)]
pub(crate) struct Envelope {
    pub(crate) id: Uuid,
    pub(crate) event_type: String,
    pub(crate) aggregate: Uuid,
    pub(crate) aggregate_type: String,
    pub(crate) version: u64,
    pub(crate) recorded_at: SystemTime,
    pub(crate) payload: Value,
    pub(crate) metadata: HashMap<String, Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum OrderEvent {
    Created(Created),
    ItemAdded(ItemAdded),
    Submitted(Submitted),
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown when a bench fails")]
pub(crate) enum Failure {
    Conflict,
    Rejected,
    Json(serde_json::Error),
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

pub(crate) trait Store: Send + Sync {
    /// The version after the append. With `expected`, only if the aggregate is at that version.
    fn append(&self, events: Vec<Envelope>, expected: Option<u64>) -> Answer<'_, u64>;
    fn of_aggregate(&self, aggregate: Uuid) -> Answer<'_, Vec<Envelope>>;
    fn all(&self) -> Answer<'_, Vec<Envelope>>;
    /// The state at a version, if one was saved.
    fn snapshot(&self, aggregate: Uuid) -> Answer<'_, Option<(Value, u64)>>;
}

/// All events in one vector, found by a scan.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    events: Arc<RwLock<Vec<Envelope>>>,
    snapshots: Arc<RwLock<HashMap<Uuid, (Value, u64)>>>,
}

impl Store for Memory {
    fn append(&self, events: Vec<Envelope>, expected: Option<u64>) -> Answer<'_, u64> {
        Box::pin(async move {
            let Some(first) = events.first() else {
                return Ok(0);
            };
            let aggregate = first.aggregate;
            let mut stored = self.events.write().await;
            let of_it = stored.iter().filter(|event| event.aggregate == aggregate);
            let version = of_it.map(|event| event.version).max().unwrap_or(0);
            if expected.is_some_and(|expected| expected != version) || first.version <= version {
                return Err(Failure::Conflict);
            }
            let last = version + events.len() as u64;
            stored.extend(events);
            Ok(last)
        })
    }

    fn of_aggregate(&self, aggregate: Uuid) -> Answer<'_, Vec<Envelope>> {
        Box::pin(async move {
            let stored = self.events.read().await;
            let of_it = stored.iter().filter(|event| event.aggregate == aggregate);
            let mut events: Vec<_> = of_it.cloned().collect();
            events.sort_by_key(|event| event.version);
            Ok(events)
        })
    }

    fn all(&self) -> Answer<'_, Vec<Envelope>> {
        Box::pin(async move {
            let mut events = self.events.read().await.clone();
            events.sort_by_key(|event| event.recorded_at);
            Ok(events)
        })
    }

    fn snapshot(&self, aggregate: Uuid) -> Answer<'_, Option<(Value, u64)>> {
        Box::pin(async move { Ok(self.snapshots.read().await.get(&aggregate).cloned()) })
    }
}

impl OrderEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "OrderCreated",
            Self::ItemAdded(_) => "ItemAdded",
            Self::Submitted(_) => "OrderSubmitted",
        }
    }

    pub(crate) fn envelope(&self, aggregate: Uuid, version: u64) -> Result<Envelope, Failure> {
        Ok(Envelope {
            id: Uuid::new_v4(),
            event_type: self.name().to_owned(),
            aggregate,
            aggregate_type: "Order".to_owned(),
            version,
            recorded_at: SystemTime::now(),
            payload: serde_json::to_value(self).map_err(Failure::Json)?,
            metadata: HashMap::new(),
        })
    }

    fn apply(self, order: &mut Order) {
        match self {
            Self::Created(created) => order.create(&created),
            Self::ItemAdded(item) => order.add(item.sku, item.quantity, item.cents),
            Self::Submitted(_) => order.submit(),
        }
    }
}

/// The order and its version.
pub(crate) async fn load(store: &dyn Store, order: Uuid) -> Result<(Order, u64), Failure> {
    let (mut state, mut version) = match store.snapshot(order).await? {
        Some((state, version)) => (
            serde_json::from_value(state).map_err(Failure::Json)?,
            version,
        ),
        None => (Order::default(), 0),
    };
    for envelope in store.of_aggregate(order).await? {
        let event: OrderEvent = serde_json::from_value(envelope.payload).map_err(Failure::Json)?;
        event.apply(&mut state);
        version = envelope.version;
    }
    Ok((state, version))
}

/// The order after a command, and the events that it wrote.
type Decided = (Order, Vec<OrderEvent>);

/// Loads, calls `decide`, appends the events, and applies them too: the result has both.
async fn execute(
    store: &dyn Store,
    order: Uuid,
    decide: impl FnOnce(&Order) -> Result<OrderEvent, Failure> + Send,
) -> Result<Decided, Failure> {
    let (mut state, version) = load(store, order).await?;
    let events = vec![decide(&state)?];
    let envelopes = events.iter().zip(version + 1..);
    let envelopes = envelopes.map(|(event, version)| event.envelope(order, version));
    let envelopes = envelopes.collect::<Result<_, _>>()?;
    store.append(envelopes, Some(version)).await?;
    for event in &events {
        event.clone().apply(&mut state);
    }
    Ok((state, events))
}

pub(crate) async fn create(store: &dyn Store, created: Created) -> Result<Decided, Failure> {
    execute(store, created.order, |order| match order.customer {
        None => Ok(OrderEvent::Created(created)),
        Some(_) => Err(Failure::Rejected),
    })
    .await
}

pub(crate) async fn add(
    store: &dyn Store,
    order: Uuid,
    item: ItemAdded,
) -> Result<Decided, Failure> {
    execute(store, order, |order| match order.customer {
        Some(_) if !order.submitted => Ok(OrderEvent::ItemAdded(item)),
        _ => Err(Failure::Rejected),
    })
    .await
}

pub(crate) async fn submit(store: &dyn Store, order: Uuid) -> Result<Decided, Failure> {
    execute(store, order, |order| {
        if order.submitted || order.items.is_empty() {
            return Err(Failure::Rejected);
        }
        Ok(OrderEvent::Submitted(order.total()))
    })
    .await
}
