//! [`Tally`]: what one order counts for, with its customer and with each of its products.
//!
//! When an event changes an order, the read models add the difference of the two tallies. So no
//! event has a rule of its own here.

use std::collections::BTreeMap;

use crate::domain::{Item, Order, OrderState, ProductId, ProductName};

/// What an order counts for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) customer: CustomerTally,
    pub(super) products: BTreeMap<ProductId, (ProductName, ProductTally)>,
}

/// What an order counts for with its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CustomerTally {
    pub(super) total: i64,
    pub(super) active: i64,
    pub(super) completed: i64,
    pub(super) cancelled: i64,
    pub(super) spent_cents: i64,
}

/// What an order counts for with one of its products. A cancelled order does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ProductTally {
    pub(super) ordered: i64,
    pub(super) active: i64,
    pub(super) reserved: i64,
    pub(super) completed: i64,
    pub(super) revenue_cents: i64,
    pub(super) orders: i64,
}

impl Tally {
    /// What an order counts for; nothing if it does not exist.
    pub(super) fn of(order: Option<&Order>) -> Self {
        let Some(order) = order else {
            return Self::default();
        };
        let products = order.items.iter().map(|item| {
            let tally = ProductTally::of(order, item);
            (item.product_id.clone(), (item.product_name.clone(), tally))
        });
        Self {
            customer: CustomerTally::of(order),
            products: products.collect(),
        }
    }

    /// What changes when an order that counted for `before` counts for this.
    pub(super) fn since(mut self, before: Self) -> Self {
        self.customer = self.customer.minus(before.customer);
        for (product, (name, tally)) in before.products {
            let entry = self
                .products
                .entry(product)
                .or_insert((name, ProductTally::default()));
            entry.1 = entry.1.minus(tally);
        }
        self
    }
}

impl CustomerTally {
    pub(super) fn of(order: &Order) -> Self {
        let completed = order.state == OrderState::Completed;
        Self {
            total: 1,
            active: order.state.is_active().into(),
            completed: completed.into(),
            cancelled: (order.state == OrderState::Cancelled).into(),
            spent_cents: if completed {
                signed(order.total().cents())
            } else {
                0
            },
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            total: self.total - other.total,
            active: self.active - other.active,
            completed: self.completed - other.completed,
            cancelled: self.cancelled - other.cancelled,
            spent_cents: self.spent_cents - other.spent_cents,
        }
    }
}

impl ProductTally {
    pub(super) fn of(order: &Order, item: &Item) -> Self {
        let state = order.state;
        if state == OrderState::Cancelled {
            return Self::default();
        }
        let quantity = i64::from(item.quantity.get());
        let if_so = |counts: bool, amount: i64| if counts { amount } else { 0 };
        let completed = state == OrderState::Completed;
        let reserved = matches!(state, OrderState::Reserved | OrderState::Processing);
        Self {
            ordered: quantity,
            active: if_so(state.is_active(), quantity),
            reserved: if_so(reserved, quantity),
            completed: if_so(completed, quantity),
            revenue_cents: if_so(completed, signed(item.total().cents())),
            orders: 1,
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            ordered: self.ordered - other.ordered,
            active: self.active - other.active,
            reserved: self.reserved - other.reserved,
            completed: self.completed - other.completed,
            revenue_cents: self.revenue_cents - other.revenue_cents,
            orders: self.orders - other.orders,
        }
    }
}

/// Amounts of the shop fit: see [`crate::domain::Money`].
fn signed(cents: u64) -> i64 {
    i64::try_from(cents).unwrap_or(i64::MAX)
}
