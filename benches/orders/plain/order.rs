//! The events of an order and its state.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Money {
    pub(crate) cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) product_id: String,
    pub(crate) product_name: String,
    pub(crate) quantity: u32,
    pub(crate) unit_price: Money,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum OrderEvent {
    OrderCreated {
        order_id: Uuid,
        customer_id: Uuid,
        created_at: Timestamp,
    },
    ItemAdded(Item),
    ItemRemoved {
        product_id: String,
    },
    ItemQuantityUpdated {
        product_id: String,
        old_quantity: u32,
        new_quantity: u32,
    },
    OrderSubmitted {
        submitted_at: Timestamp,
        total_amount: Money,
        item_count: usize,
    },
    OrderReserved {
        reservation_id: Option<String>,
    },
    OrderProcessing {
        payment_id: Option<String>,
    },
    OrderCompleted {
        completed_at: Timestamp,
        tracking_number: Option<String>,
    },
    OrderCancelled {
        reason: String,
        cancelled_by: Option<String>,
        cancelled_at: Timestamp,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Draft,
    Reserved,
    Processing,
    Completed,
    Cancelled,
}

#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) id: Option<Uuid>,
    pub(crate) version: u64,
    pub(crate) customer_id: Option<Uuid>,
    pub(crate) state: State,
    pub(crate) items: HashMap<String, Item>,
    pub(crate) tracking_number: Option<String>,
}

impl OrderEvent {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::OrderCreated { .. } => "OrderCreated",
            Self::ItemAdded(_) => "ItemAdded",
            Self::ItemRemoved { .. } => "ItemRemoved",
            Self::ItemQuantityUpdated { .. } => "ItemQuantityUpdated",
            Self::OrderSubmitted { .. } => "OrderSubmitted",
            Self::OrderReserved { .. } => "OrderReserved",
            Self::OrderProcessing { .. } => "OrderProcessing",
            Self::OrderCompleted { .. } => "OrderCompleted",
            Self::OrderCancelled { .. } => "OrderCancelled",
        }
    }
}

impl Item {
    pub(crate) fn total(&self) -> i64 {
        self.unit_price.cents * i64::from(self.quantity)
    }
}

impl Order {
    pub(crate) fn apply(&mut self, event: OrderEvent) {
        match event {
            OrderEvent::OrderCreated {
                order_id,
                customer_id,
                ..
            } => {
                self.id = Some(order_id);
                self.customer_id = Some(customer_id);
            }
            OrderEvent::ItemAdded(item) => {
                self.items.insert(item.product_id.clone(), item);
            }
            OrderEvent::ItemRemoved { product_id } => {
                self.items.remove(&product_id);
            }
            OrderEvent::ItemQuantityUpdated {
                product_id,
                new_quantity,
                ..
            } => {
                if let Some(item) = self.items.get_mut(&product_id) {
                    item.quantity = new_quantity;
                }
            }
            OrderEvent::OrderSubmitted { .. } => {}
            OrderEvent::OrderReserved { .. } => self.state = State::Reserved,
            OrderEvent::OrderProcessing { .. } => self.state = State::Processing,
            OrderEvent::OrderCompleted {
                tracking_number, ..
            } => {
                self.state = State::Completed;
                self.tracking_number = tracking_number;
            }
            OrderEvent::OrderCancelled { .. } => self.state = State::Cancelled,
        }
    }

    pub(crate) fn total(&self) -> Money {
        Money {
            cents: self.items.values().map(Item::total).sum(),
        }
    }
}
