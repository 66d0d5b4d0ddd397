//! Orders that have ended, and what has to be known of the others until they end.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::Projection;
use crate::plain::{Answer, Envelope, Item, OrderEvent};

#[derive(Debug, Clone, Default)]
#[expect(dead_code, reason = "a row has what a page shows")]
struct PastOrder {
    customer_id: Uuid,
    items: HashMap<String, Item>,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    cancelled_at: Option<Timestamp>,
    tracking_number: Option<String>,
    cancellation_reason: Option<String>,
}

#[derive(Default)]
struct Orders {
    under_way: HashMap<Uuid, PastOrder>,
    ended: HashMap<Uuid, PastOrder>,
}

#[derive(Default)]
pub(crate) struct OrderHistory(RwLock<Orders>);

impl Projection for OrderHistory {
    fn handle<'a>(&'a self, event: &'a Envelope) -> Answer<'a, ()> {
        Box::pin(async move {
            let id = event.aggregate_id;
            let what = OrderEvent::deserialize(&event.payload)?;
            let mut orders = self.0.write().await;
            if let OrderEvent::OrderCreated {
                customer_id,
                created_at,
                ..
            } = what
            {
                let order = PastOrder {
                    customer_id,
                    created_at,
                    ..PastOrder::default()
                };
                orders.under_way.insert(id, order);
                return Ok(());
            }
            let Some(order) = orders.under_way.get_mut(&id) else {
                return Ok(());
            };
            match what {
                OrderEvent::ItemAdded(item) => {
                    order.items.insert(item.product_id.clone(), item);
                }
                OrderEvent::ItemRemoved { product_id } => {
                    order.items.remove(&product_id);
                }
                OrderEvent::ItemQuantityUpdated {
                    product_id,
                    new_quantity,
                    ..
                } => {
                    if let Some(item) = order.items.get_mut(&product_id) {
                        item.quantity = new_quantity;
                    }
                }
                OrderEvent::OrderCompleted {
                    completed_at,
                    tracking_number,
                } => {
                    order.completed_at = Some(completed_at);
                    order.tracking_number = tracking_number;
                    orders.end(id);
                }
                OrderEvent::OrderCancelled {
                    reason,
                    cancelled_at,
                    ..
                } => {
                    order.cancelled_at = Some(cancelled_at);
                    order.cancellation_reason = Some(reason);
                    orders.end(id);
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn reset(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            *self.0.write().await = Orders::default();
            Ok(())
        })
    }
}

impl Orders {
    fn end(&mut self, id: Uuid) {
        if let Some(order) = self.under_way.remove(&id) {
            self.ended.insert(id, order);
        }
    }
}
