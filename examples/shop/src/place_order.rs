//! [`PlaceOrder`]: a command on as many streams as the order has products, and two more.

use std::collections::BTreeMap;

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamField, StreamId, Streams,
    emit, require,
};

use crate::events::ShopEvent;
use crate::ids::{OrderId, ProductId, UserId};

/// Takes all products of an order from stock, or none. The stream of the customer is declared too and
/// only checked: an order of a user who is not there is refused.
#[derive(Debug, Command)]
pub struct PlaceOrder {
    #[stream]
    order: OrderId,
    #[stream]
    customer: UserId,
    #[stream]
    products: Vec<ProductId>,
    /// How many pieces of each of the products, in their order.
    pieces: Vec<u32>,
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// There is an order of this id.
    #[error("{0} was placed before")]
    PlacedBefore(OrderId),
    /// There is no such user.
    #[error("there is no {0}")]
    UnknownCustomer(UserId),
    /// Nothing is ordered.
    #[error("an order has at least one piece")]
    Empty,
    /// There are too few pieces of a product.
    #[error("{wanted} of {product} are wanted, and {left} are left")]
    OutOfStock {
        /// The product.
        product: ProductId,
        /// How many pieces the order wants.
        wanted: u32,
        /// How many there are.
        left: u32,
    },
}

impl PlaceOrder {
    /// An order of these products. A product that is named twice is ordered once, with the sum.
    pub fn new(
        order: OrderId,
        customer: UserId,
        items: impl IntoIterator<Item = (ProductId, u32)>,
    ) -> Self {
        let mut sums: BTreeMap<ProductId, u32> = BTreeMap::new();
        for (product, pieces) in items.into_iter().filter(|(_, pieces)| *pieces > 0) {
            let sum = sums.entry(product).or_default();
            *sum = sum.saturating_add(pieces);
        }
        let (products, pieces) = sums.into_iter().unzip();
        Self {
            order,
            customer,
            products,
            pieces,
        }
    }
}

/// What the streams say.
#[derive(Debug, Default)]
pub struct Known {
    placed: bool,
    registered: bool,
    left: BTreeMap<StreamId, u32>,
}

impl CommandLogic for PlaceOrder {
    type State = Known;
    type Event = ShopEvent;

    fn apply(&self, mut known: Known, stored: &StoredEvent<ShopEvent>) -> Known {
        let left = |known: &mut Known, change: fn(u32, u32) -> u32, pieces| {
            let left = known.left.entry(stored.stream_id.clone()).or_default();
            *left = change(*left, pieces);
        };
        match stored.event {
            ShopEvent::OrderPlaced { .. } => known.placed = true,
            ShopEvent::UserRegistered { .. } => known.registered = true,
            ShopEvent::StockReceived { pieces } => left(&mut known, u32::saturating_add, pieces),
            ShopEvent::StockTaken { pieces, .. } => left(&mut known, u32::saturating_sub, pieces),
            _ => {}
        }
        known
    }

    fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let (order, customer) = (self.order.clone(), self.customer.clone());
        require!(!known.placed, OrderRefused::PlacedBefore(order));
        require!(known.registered, OrderRefused::UnknownCustomer(customer));
        require!(!self.products.is_empty(), OrderRefused::Empty);

        let mut events = NewEvents::new();
        let items: Vec<(ProductId, u32)> = (self
            .products
            .iter()
            .cloned()
            .zip(self.pieces.iter().copied()))
        .collect();
        for ((product, wanted), stream) in items.iter().zip(&streams.products) {
            let left = known.left.get(product.stream_id()).copied();
            let (wanted, left) = (*wanted, left.unwrap_or_default());
            let product = product.clone();
            require!(
                wanted <= left,
                OrderRefused::OutOfStock {
                    product,
                    wanted,
                    left
                }
            );
            let order = order.clone();
            let pieces = wanted;
            emit!(events, *stream, ShopEvent::StockTaken { order, pieces });
        }
        emit!(
            events,
            streams.order,
            ShopEvent::OrderPlaced { customer, items }
        );
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use eventcore_testing::Scenario;

    use super::*;
    use crate::ids::UserName;

    fn stocked() -> Scenario {
        let name = UserName::new("ada").unwrap();
        let received = |pieces| [ShopEvent::StockReceived { pieces }];
        Scenario::new()
            .given("user-1", [ShopEvent::UserRegistered { name }])
            .given("product-cup", received(5))
            .given("product-pot", received(1))
    }

    fn order(customer: &str, items: &[(&str, u32)]) -> PlaceOrder {
        let items = items.iter();
        let items = items.map(|(product, pieces)| (ProductId::new(product).unwrap(), *pieces));
        let customer = UserId::new(customer).unwrap();
        PlaceOrder::new(OrderId::new("1").unwrap(), customer, items)
    }

    #[test]
    fn an_order_takes_all_its_products_or_none() {
        let placed = stocked().when(&order("1", &[("cup", 1), ("pot", 1), ("cup", 1)]));
        let taken = |pieces| ShopEvent::StockTaken {
            order: OrderId::new("1").unwrap(),
            pieces,
        };
        let items = [("cup", 2), ("pot", 1)];
        let items = items.map(|(product, pieces)| (ProductId::new(product).unwrap(), pieces));
        placed.then([
            ("product-cup", taken(2)),
            ("product-pot", taken(1)),
            (
                "order-1",
                ShopEvent::OrderPlaced {
                    customer: UserId::new("1").unwrap(),
                    items: items.to_vec(),
                },
            ),
        ]);
        let refused = stocked().when(&order("1", &[("cup", 1), ("pot", 2)]));
        refused.then_rejected("2 of product-pot are wanted, and 1 are left");
    }

    #[test]
    fn an_order_needs_a_user_and_a_piece() {
        let unknown = stocked().when(&order("2", &[("cup", 1)]));
        unknown.then_rejected("there is no user-2");
        let empty = stocked().when(&order("1", &[("cup", 0)]));
        empty.then_rejected("at least one piece");
    }
}
