//! What can happen in the shop, one enum for each kind of stream. When it happened is not part of an
//! event: the store records that.

use eventcore::Event;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::event_union::event_union;
use super::{CustomerId, Money, OrderId, Price, ProductId, ProductName, Quantity, Reason, Step};

/// What can happen to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum OrderEvent {
    /// The order exists from now on, without items.
    OrderCreated {
        /// The order.
        order_id: OrderId,
        /// Who orders.
        customer_id: CustomerId,
    },
    /// A product was added that was not in the order.
    ItemAdded {
        /// The product.
        product_id: ProductId,
        /// What it was called then.
        product_name: ProductName,
        /// How many.
        quantity: Quantity,
        /// What one piece cost then.
        unit_price: Price,
    },
    /// A product is no longer in the order.
    ItemRemoved {
        /// The product.
        product_id: ProductId,
    },
    /// The order has another quantity of a product.
    ItemQuantityUpdated {
        /// The product.
        product_id: ProductId,
        /// The quantity before.
        old_quantity: Quantity,
        /// The quantity from now on.
        new_quantity: Quantity,
    },
    /// The customer is done: the items are fixed.
    OrderSubmitted {
        /// What the order costs.
        total_amount: Money,
        /// How many products it has.
        item_count: u32,
    },
    /// The stock is set aside.
    OrderReserved {
        /// The reservation.
        reservation_id: String,
    },
    /// The order is paid.
    OrderProcessing {
        /// The payment.
        payment_id: String,
    },
    /// The order is on its way.
    OrderCompleted {
        /// The carrier's number.
        tracking_number: String,
    },
    /// The order will not be fulfilled.
    OrderCancelled {
        /// Why.
        reason: Reason,
        /// Who cancelled it, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancelled_by: Option<Reason>,
    },
}

/// What can happen to the stock of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum StockEvent {
    /// Pieces arrived.
    StockReceived {
        /// What the product is called.
        product_name: ProductName,
        /// How many.
        quantity: Quantity,
    },
    /// Pieces were set aside for an order.
    StockReserved {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// Pieces that were set aside are available again.
    StockReleased {
        /// The order.
        order_id: OrderId,
        /// How many.
        quantity: Quantity,
    },
    /// The current book is closed, and the next one begins. Always in the first book.
    BookOpened {
        /// The number of the next book.
        book: u32,
        /// How many pieces it begins with.
        available: u64,
    },
}

/// What can happen to the payment of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum PaymentEvent {
    /// The provider has the money.
    PaymentTaken {
        /// The provider's name for the payment.
        payment_id: String,
        /// How much.
        amount: Money,
    },
    /// The provider refused.
    PaymentDeclined {
        /// Why.
        reason: String,
    },
    /// The provider has given the money back, or will never take it.
    PaymentRefunded,
}

/// What can happen to the shipment of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum ShipmentEvent {
    /// The carrier will ship it.
    ShipmentBooked {
        /// The carrier's number.
        tracking_number: String,
    },
    /// The carrier refused.
    ShipmentRefused {
        /// Why.
        reason: String,
    },
    /// The carrier has taken the shipment back, or will never take it.
    ShipmentWithdrawn,
}

/// What can happen to the fulfilment of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum FulfilmentEvent {
    /// Fulfilment of the order begins.
    FulfilmentStarted,
    /// A step is done.
    StepCompleted {
        /// The step.
        step: Step,
        /// What it resulted in: a reservation, a payment, a tracking number.
        reference: String,
    },
    /// A step was refused: what was done is undone from now on.
    CompensationStarted {
        /// Why.
        reason: String,
    },
    /// A step is undone.
    StepCompensated {
        /// The step.
        step: Step,
    },
    /// All steps are done.
    FulfilmentCompleted,
    /// Everything is undone.
    FulfilmentFailed {
        /// Why.
        reason: String,
    },
}

/// What can happen to a request with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum RequestEvent {
    /// It was carried out.
    RequestHandled {
        /// What tells its content from any other.
        fingerprint: Uuid,
    },
}

event_union! {
    /// What can happen in the streams that commands of this program work on.
    ShopEvent {
        /// To an order.
        Order(OrderEvent),
        /// To the stock of a product.
        Stock(StockEvent),
        /// To a payment.
        Payment(PaymentEvent),
        /// To a shipment.
        Shipment(ShipmentEvent),
        /// To a fulfilment.
        Fulfilment(FulfilmentEvent),
        /// To a request.
        Request(RequestEvent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_stores_what_its_part_stores() {
        let part = OrderEvent::OrderReserved {
            reservation_id: "RES-1".to_owned(),
        };
        let union = ShopEvent::from(part.clone());
        assert_eq!(
            (union.event_type(), part.event_type()),
            ("OrderReserved", "OrderReserved")
        );
        let payload = union.encode().unwrap();
        assert_eq!(payload.as_str(), r#"{"reservation_id":"RES-1"}"#);
        assert_eq!(ShopEvent::decode("OrderReserved", &payload).unwrap(), union);
        assert!(
            ShopEvent::decode("Nothing", &payload)
                .unwrap_err()
                .is_unknown_type()
        );
    }
}
