//! The data of both sides of every comparison: orders, their events, and the resulting state.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Created {
    pub(crate) order: Uuid,
    pub(crate) customer: Uuid,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemAdded {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    pub(crate) total_cents: u64,
}

/// The state of an order.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Order {
    pub(crate) customer: Option<Uuid>,
    /// For each item, the quantity and the unit price.
    pub(crate) items: HashMap<String, (u32, u64)>,
    pub(crate) submitted: bool,
}

impl Created {
    /// The first event of an order. The id of the order is given, so that making it is not
    /// measured.
    pub(crate) fn of(order: Uuid) -> Self {
        Self {
            order,
            customer: Uuid::from_u128(1),
        }
    }
}

impl ItemAdded {
    pub(crate) fn number(number: usize) -> Self {
        Self {
            sku: format!("SKU-{number:03}"),
            name: format!("Product {number}"),
            quantity: 1,
            cents: 100 * number as u64,
        }
    }
}

impl Order {
    pub(crate) fn create(&mut self, created: &Created) {
        self.customer = Some(created.customer);
    }

    pub(crate) fn add(&mut self, sku: String, quantity: u32, cents: u64) {
        self.items.insert(sku, (quantity, cents));
    }

    pub(crate) fn submit(&mut self) {
        self.submitted = true;
    }

    pub(crate) fn total(&self) -> Submitted {
        let items = self.items.values();
        let total_cents = items
            .map(|(quantity, cents)| u64::from(*quantity) * cents)
            .sum();
        Submitted { total_cents }
    }
}
