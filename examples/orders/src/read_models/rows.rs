//! What the read models hold, as the API returns it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::tally::{CustomerTally, ProductTally};
use crate::domain::{Order, OrderId};

/// What a customer has ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CustomerRow {
    /// The customer.
    pub customer_id: Uuid,
    /// How many orders they created.
    pub total_orders: i64,
    /// How many are under way.
    pub active_orders: i64,
    /// How many are completed.
    pub completed_orders: i64,
    /// How many are cancelled.
    pub cancelled_orders: i64,
    /// What the completed ones cost, in cents.
    pub total_spent_cents: i64,
    /// The orders, the oldest first; at most 1,000.
    pub order_ids: Vec<Uuid>,
}

/// What is known about a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProductRow {
    /// The product.
    pub product_id: String,
    /// What it is called.
    pub product_name: String,
    /// How many pieces are in stock and not set aside.
    pub available: i64,
    /// How many are in orders that are not cancelled.
    pub total_quantity_ordered: i64,
    /// How many are in orders under way.
    pub quantity_in_active_orders: i64,
    /// How many are set aside for orders under way.
    pub quantity_reserved: i64,
    /// How many are in completed orders.
    pub quantity_completed: i64,
    /// What those cost, in cents.
    pub total_revenue_cents: i64,
    /// How many orders that are not cancelled have it.
    pub order_count: i64,
}

/// How many orders are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct OrderCounts {
    /// Drafts.
    pub draft: i64,
    /// Reserved ones.
    pub reserved: i64,
    /// Paid ones.
    pub processing: i64,
    /// Completed ones.
    pub completed: i64,
    /// Cancelled ones.
    pub cancelled: i64,
}

/// The shop in a few numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Statistics {
    /// How many orders are in each state.
    pub orders: OrderCounts,
    /// How many customers have ordered.
    pub customers: i64,
    /// How many products are known.
    pub products: i64,
    /// What the completed orders cost, in cents.
    pub revenue_cents: i64,
    /// The position of the last event that is included.
    pub position: u64,
}

/// Some orders, and where to go on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OrderPage {
    /// The orders, the newest first.
    pub orders: Vec<Arc<Order>>,
    /// Where the next page begins, if there is one.
    pub next: Option<Cursor>,
}

/// A place in the list of orders: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it was created.
    pub created_at: Timestamp,
    /// Which it is.
    pub order: OrderId,
}

impl CustomerRow {
    pub(super) fn new(customer_id: Uuid) -> Self {
        Self {
            customer_id,
            total_orders: 0,
            active_orders: 0,
            completed_orders: 0,
            cancelled_orders: 0,
            total_spent_cents: 0,
            order_ids: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, tally: CustomerTally) {
        self.total_orders += tally.total;
        self.active_orders += tally.active;
        self.completed_orders += tally.completed;
        self.cancelled_orders += tally.cancelled;
        self.total_spent_cents += tally.spent_cents;
    }
}

impl ProductRow {
    pub(super) fn new(product_id: &str, product_name: &str) -> Self {
        Self {
            product_id: product_id.to_owned(),
            product_name: product_name.to_owned(),
            available: 0,
            total_quantity_ordered: 0,
            quantity_in_active_orders: 0,
            quantity_reserved: 0,
            quantity_completed: 0,
            total_revenue_cents: 0,
            order_count: 0,
        }
    }

    pub(super) fn add(&mut self, tally: ProductTally) {
        self.total_quantity_ordered += tally.ordered;
        self.quantity_in_active_orders += tally.active;
        self.quantity_reserved += tally.reserved;
        self.quantity_completed += tally.completed;
        self.total_revenue_cents += tally.revenue_cents;
        self.order_count += tally.orders;
    }
}

impl OrderPage {
    /// At most `limit` of these, which are one more if there is a next page.
    pub(super) fn new(mut orders: Vec<Arc<Order>>, limit: usize) -> Self {
        let more = orders.len() > limit;
        orders.truncate(limit);
        let next = orders
            .last()
            .filter(|_| more)
            .map(|last| Cursor::behind(last));
        Self { orders, next }
    }
}

impl Cursor {
    /// The place behind an order.
    pub fn behind(order: &Order) -> Self {
        Self {
            created_at: order.created_at,
            order: order.id,
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at.as_nanosecond(), self.order)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = || {
            let (at, order) = text.split_once('_')?;
            let created_at = Timestamp::from_nanosecond(at.parse().ok()?).ok()?;
            Some(Self {
                created_at,
                order: order.parse().ok()?,
            })
        };
        parsed().ok_or_else(|| format!("{text:?} is not a cursor of this list"))
    }
}
