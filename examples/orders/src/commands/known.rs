//! [`Known`]: what a command knows after reading its streams, of whichever kinds they are.

use std::collections::BTreeMap;

use eventcore::{StoredEvent, StreamId, StreamVersion};
use uuid::Uuid;

use crate::domain::{
    Fulfilment, Order, OrderError, PaymentEvent, Product, ProductId, RequestEvent, ShipmentEvent,
    ShopEvent,
};

/// What a command knows after reading its streams. A command that does not declare a stream of some
/// kind finds the default here.
#[derive(Debug, Default)]
pub struct Known {
    /// The order.
    pub order: Option<Order>,
    /// The stock of its products.
    pub products: BTreeMap<ProductId, Product>,
    /// The last that happened to its payment.
    pub payment: Option<PaymentEvent>,
    /// The last that happened to its shipment.
    pub shipment: Option<ShipmentEvent>,
    /// How far its fulfilment is.
    pub fulfilment: Fulfilment,
    /// The content that the request had when it was handled.
    pub handled: Option<Uuid>,
}

impl Known {
    /// What is known after one more event.
    #[must_use]
    pub fn apply(mut self, stored: &StoredEvent<ShopEvent>) -> Self {
        match &stored.event {
            ShopEvent::Order(event) => match &mut self.order {
                Some(order) => order.take_in(stored, event),
                none => *none = Order::apply(None, stored, event),
            },
            ShopEvent::Stock(event) => {
                if let Some(id) = ProductId::of_stream(&stored.stream_id) {
                    let product = self.products.remove(&id).unwrap_or_default();
                    self.products.insert(id, product.apply(event));
                }
            }
            ShopEvent::Payment(event) => self.payment = Some(event.clone()),
            ShopEvent::Shipment(event) => self.shipment = Some(event.clone()),
            ShopEvent::Fulfilment(event) => self.fulfilment = self.fulfilment.apply(event),
            ShopEvent::Request(RequestEvent::RequestHandled { fingerprint }) => {
                self.handled = Some(*fingerprint);
            }
        }
        self
    }

    /// The order.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn order(&self) -> Result<&Order, OrderError> {
        self.order.as_ref().ok_or(OrderError::NotFound)
    }

    /// Whether the order is at the version that the caller demands.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn must_match(&self, version: Option<StreamVersion>) -> Result<(), OrderError> {
        let actual = self
            .order
            .as_ref()
            .map_or(StreamVersion::EMPTY, |order| order.version);
        match version {
            Some(expected) if expected != actual => {
                Err(OrderError::OtherVersion { expected, actual })
            }
            _ => Ok(()),
        }
    }

    /// The stock of a product; none if nothing is known of it.
    pub fn product(&self, id: &ProductId) -> Product {
        self.products.get(id).cloned().unwrap_or_default()
    }

    /// The books of the products in the order: what a command finds when it resolves its streams. The
    /// first book of a product says which ones there are to read next.
    pub fn books(&self) -> Vec<StreamId> {
        let items = self.order.iter().flat_map(|order| &order.items);
        let ids = items.map(|item| &item.product_id);
        ids.flat_map(|id| self.product(id).books(id)).collect()
    }
}
