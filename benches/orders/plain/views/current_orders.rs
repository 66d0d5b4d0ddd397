//! Orders that are under way, with their items.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::Projection;
use crate::plain::order::State;
use crate::plain::{Answer, Envelope, Item, OrderEvent};

#[derive(Debug, Clone)]
#[expect(dead_code, reason = "a row has what a page shows")]
pub(crate) struct CurrentOrder {
    pub(crate) order_id: Uuid,
    pub(crate) customer_id: Uuid,
    pub(crate) state: State,
    pub(crate) item_count: usize,
    pub(crate) total_cents: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) items: Vec<Item>,
}

#[derive(Default)]
pub(crate) struct CurrentOrders(RwLock<HashMap<Uuid, CurrentOrder>>);

impl CurrentOrders {
    pub(crate) async fn all(&self) -> Vec<CurrentOrder> {
        self.0.read().await.values().cloned().collect()
    }

    pub(crate) async fn of_customer(&self, customer: Uuid) -> Vec<CurrentOrder> {
        let orders = self.0.read().await;
        let theirs = orders
            .values()
            .filter(|order| order.customer_id == customer);
        theirs.cloned().collect()
    }
}

impl CurrentOrder {
    fn count(&mut self) {
        self.item_count = self.items.len();
        self.total_cents = self.items.iter().map(Item::total).sum();
    }
}

impl Projection for CurrentOrders {
    fn handle<'a>(&'a self, event: &'a Envelope) -> Answer<'a, ()> {
        Box::pin(async move {
            let id = event.aggregate_id;
            let what = OrderEvent::deserialize(&event.payload)?;
            let mut orders = self.0.write().await;
            if let OrderEvent::OrderCreated {
                order_id,
                customer_id,
                created_at,
            } = what
            {
                let order = CurrentOrder {
                    order_id,
                    customer_id,
                    state: State::Draft,
                    item_count: 0,
                    total_cents: 0,
                    created_at,
                    updated_at: event.timestamp,
                    items: Vec::new(),
                };
                orders.insert(id, order);
                return Ok(());
            }
            let Some(order) = orders.get_mut(&id) else {
                return Ok(());
            };
            order.updated_at = event.timestamp;
            match what {
                OrderEvent::ItemAdded(item) => order.items.push(item),
                OrderEvent::ItemRemoved { product_id } => {
                    order.items.retain(|item| item.product_id != product_id);
                }
                OrderEvent::ItemQuantityUpdated {
                    product_id,
                    new_quantity,
                    ..
                } => {
                    let mut items = order.items.iter_mut();
                    if let Some(item) = items.find(|item| item.product_id == product_id) {
                        item.quantity = new_quantity;
                    }
                }
                OrderEvent::OrderReserved { .. } => order.state = State::Reserved,
                OrderEvent::OrderProcessing { .. } => order.state = State::Processing,
                OrderEvent::OrderCompleted { .. } | OrderEvent::OrderCancelled { .. } => {
                    orders.remove(&id);
                    return Ok(());
                }
                OrderEvent::OrderCreated { .. } | OrderEvent::OrderSubmitted { .. } => {}
            }
            order.count();
            Ok(())
        })
    }

    fn reset(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0.write().await.clear();
            Ok(())
        })
    }
}
