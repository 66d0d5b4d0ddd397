//! What each customer has ordered.

use std::collections::HashMap;

use serde::Deserialize;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::Projection;
use crate::plain::{Answer, Envelope, Item, OrderEvent};

#[derive(Debug, Clone, Default)]
struct Customer {
    total_orders: usize,
    active_orders: usize,
    completed_orders: usize,
    cancelled_orders: usize,
    total_spent_cents: i64,
    order_ids: Vec<Uuid>,
}

#[derive(Default)]
struct Customers {
    customers: HashMap<Uuid, Customer>,
    /// Whose an order is, and what is in it.
    orders: HashMap<Uuid, (Uuid, HashMap<String, Item>)>,
}

#[derive(Default)]
pub(crate) struct CustomerOrders(RwLock<Customers>);

impl Projection for CustomerOrders {
    fn handle<'a>(&'a self, event: &'a Envelope) -> Answer<'a, ()> {
        Box::pin(async move {
            let id = event.aggregate_id;
            let what = OrderEvent::deserialize(&event.payload)?;
            let mut all = self.0.write().await;
            let Customers { customers, orders } = &mut *all;
            if let OrderEvent::OrderCreated { customer_id, .. } = what {
                let customer = customers.entry(customer_id).or_default();
                customer.total_orders += 1;
                customer.active_orders += 1;
                customer.order_ids.push(id);
                orders.insert(id, (customer_id, HashMap::new()));
                return Ok(());
            }
            let Some((customer, items)) = orders.get_mut(&id) else {
                return Ok(());
            };
            match what {
                OrderEvent::ItemAdded(item) => {
                    items.insert(item.product_id.clone(), item);
                }
                OrderEvent::ItemRemoved { product_id } => {
                    items.remove(&product_id);
                }
                OrderEvent::ItemQuantityUpdated {
                    product_id,
                    new_quantity,
                    ..
                } => {
                    if let Some(item) = items.get_mut(&product_id) {
                        item.quantity = new_quantity;
                    }
                }
                OrderEvent::OrderCompleted { .. } => {
                    let customer = customers.entry(*customer).or_default();
                    customer.active_orders -= 1;
                    customer.completed_orders += 1;
                    customer.total_spent_cents += items.values().map(Item::total).sum::<i64>();
                }
                OrderEvent::OrderCancelled { .. } => {
                    let customer = customers.entry(*customer).or_default();
                    customer.active_orders -= 1;
                    customer.cancelled_orders += 1;
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn reset(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            *self.0.write().await = Customers::default();
            Ok(())
        })
    }
}
