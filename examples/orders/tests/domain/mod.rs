//! The rules, one command at a time.

mod books;
mod fulfilment;
mod order;

use std::collections::BTreeSet;

use eventcore::Event;
use orders::domain::{
    CustomerId, FulfilmentEvent, Item, Money, OrderEvent, OrderId, OrderState, PaymentEvent, Price,
    ProductId, ProductName, Quantity, Reason, RequestEvent, ShipmentEvent, StockEvent,
};

pub(super) fn item(product: &str, quantity: u32) -> Item {
    Item {
        product_id: ProductId::new(product).unwrap(),
        product_name: ProductName::new(product).unwrap(),
        quantity: Quantity::new(quantity).unwrap(),
        unit_price: Price::from_cents(500).unwrap(),
    }
}

pub(super) fn created(order_id: OrderId) -> OrderEvent {
    OrderEvent::OrderCreated {
        order_id,
        customer_id: CustomerId::new(),
    }
}

pub(super) fn added(product: &str, quantity: u32) -> OrderEvent {
    let Item {
        product_id,
        product_name,
        quantity,
        unit_price,
    } = item(product, quantity);
    OrderEvent::ItemAdded {
        product_id,
        product_name,
        quantity,
        unit_price,
    }
}

pub(super) fn submitted() -> OrderEvent {
    let total_amount = Money::from_cents(500);
    OrderEvent::OrderSubmitted {
        total_amount,
        item_count: 1,
    }
}

pub(super) fn received(quantity: u32) -> StockEvent {
    let product_name = ProductName::new("name").unwrap();
    StockEvent::StockReceived {
        product_name,
        quantity: Quantity::new(quantity).unwrap(),
    }
}

pub(super) fn reason(text: &str) -> Reason {
    Reason::new(text).unwrap()
}

/// The events that lead to an order in this state.
pub(super) fn in_state(id: OrderId, state: OrderState) -> Vec<OrderEvent> {
    let text = || "X".to_owned();
    let steps = [
        OrderEvent::OrderReserved {
            reservation_id: text(),
        },
        OrderEvent::OrderProcessing { payment_id: text() },
        OrderEvent::OrderCompleted {
            tracking_number: text(),
        },
    ];
    let mut events = vec![created(id), added("A", 2)];
    match state {
        OrderState::Draft => {}
        OrderState::Reserved => events.extend(steps[..1].iter().cloned()),
        OrderState::Processing => events.extend(steps[..2].iter().cloned()),
        OrderState::Completed => events.extend(steps),
        OrderState::Cancelled => events.push(OrderEvent::OrderCancelled {
            reason: reason("x"),
            cancelled_by: None,
        }),
    }
    events
}

#[test]
fn no_two_kinds_of_events_share_a_name() {
    let lists = [
        OrderEvent::event_types(),
        StockEvent::event_types(),
        PaymentEvent::event_types(),
        ShipmentEvent::event_types(),
        FulfilmentEvent::event_types(),
        RequestEvent::event_types(),
    ];
    let all: Vec<_> = lists.concat();
    let once: BTreeSet<_> = all.iter().collect();
    assert_eq!(
        (OrderEvent::event_types().len(), once.len()),
        (9, all.len())
    );
}
