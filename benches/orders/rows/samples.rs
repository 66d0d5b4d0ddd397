//! The same orders for both sides.

use eventcore::{Append, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent};
use jiff::Timestamp;
use orders::domain::{
    CustomerId, Item, Money, OrderEvent, OrderId, Price, ProductId, ProductName, Quantity,
    ShopEvent,
};
use uuid::Uuid;

use super::now;
use crate::plain::{self, EventStore as _, Memory};

/// How many customers order in turn.
const CUSTOMERS: u128 = 10;

/// Order number `n`.
pub(super) fn order(n: u128) -> Uuid {
    Uuid::from_u128(0x1000 + n)
}

/// The customer of order number `n`.
pub(super) fn customer(n: u128) -> Uuid {
    Uuid::from_u128(1 + n % CUSTOMERS)
}

pub(super) fn customer_id(n: u128) -> CustomerId {
    CustomerId::try_from(customer(n)).expect("not the nil UUID")
}

/// Item number `n` of the application.
pub(super) fn item(n: u32) -> Item {
    Item {
        product_id: ProductId::new(format!("SKU-{n:03}")).expect("a short text"),
        product_name: ProductName::new(format!("Product {n}")).expect("a short text"),
        quantity: Quantity::new(2).expect("a small number"),
        unit_price: Price::from_cents(1_000).expect("a small price"),
    }
}

/// Item number `n` of the plain implementation.
pub(super) fn plain_item(n: u32) -> plain::Item {
    plain::Item {
        product_id: format!("SKU-{n:03}"),
        product_name: format!("Product {n}"),
        quantity: 2,
        unit_price: plain::Money { cents: 1_000 },
    }
}

/// An order that is created, and `items` that are added to it.
pub(super) fn events(n: u128, items: u32) -> Vec<ShopEvent> {
    let created = OrderEvent::OrderCreated {
        order_id: OrderId::from(order(n)),
        customer_id: customer_id(n),
    };
    let added = (1..=items).map(|number| {
        let Item {
            product_id,
            product_name,
            quantity,
            unit_price,
        } = item(number);
        OrderEvent::ItemAdded {
            product_id,
            product_name,
            quantity,
            unit_price,
        }
    });
    let events = [created].into_iter().chain(added);
    events.map(ShopEvent::from).collect()
}

/// The same of the plain implementation.
pub(super) fn plain_events(n: u128, items: u32) -> Vec<plain::OrderEvent> {
    let created = plain::OrderEvent::OrderCreated {
        order_id: order(n),
        customer_id: customer(n),
        created_at: Timestamp::now(),
    };
    let added = (1..=items).map(|number| plain::OrderEvent::ItemAdded(plain_item(number)));
    [created].into_iter().chain(added).collect()
}

/// An append of these events to a new stream.
pub(super) fn append_of(n: u128, events: &[ShopEvent], expected: ExpectedVersion) -> Append {
    let stream = OrderId::from(order(n)).stream();
    let append = Append::new().stream(stream.clone(), expected);
    events.iter().fold(append, |append, event| {
        append.event(NewEvent::encode(stream.clone(), event).expect("an event is JSON"))
    })
}

/// One order with this many events.
pub(super) fn one_order(events_in_all: u32) -> (InMemoryEventStore, Memory) {
    let (store, plain) = (InMemoryEventStore::new(), Memory::default());
    add(
        (&store, &plain),
        0,
        events(0, events_in_all - 1),
        &plain_events(0, events_in_all - 1),
    );
    (store, plain)
}

/// Orders of three events each: created, an item of one of ten products, submitted.
pub(super) fn submitted_orders(orders: u32) -> (InMemoryEventStore, Memory) {
    let (store, plain) = (InMemoryEventStore::new(), Memory::default());
    for number in 0..orders {
        let n = u128::from(number);
        let product = number % 10;
        let mut ours = events(n, 0);
        let Item {
            product_id,
            product_name,
            quantity,
            unit_price,
        } = item(product);
        let added = OrderEvent::ItemAdded {
            product_id,
            product_name,
            quantity,
            unit_price,
        };
        let submitted = OrderEvent::OrderSubmitted {
            total_amount: Money::from_cents(2_000),
            item_count: 1,
        };
        ours.extend([added.into(), submitted.into()]);
        let mut theirs = plain_events(n, 0);
        theirs.extend([
            plain::OrderEvent::ItemAdded(plain_item(product)),
            plain::OrderEvent::OrderSubmitted {
                submitted_at: Timestamp::now(),
                total_amount: plain::Money { cents: 2_000 },
                item_count: 1,
            },
        ]);
        add((&store, &plain), n, ours, &theirs);
    }
    (store, plain)
}

fn add(
    (store, plain): (&InMemoryEventStore, &Memory),
    n: u128,
    ours: Vec<ShopEvent>,
    theirs: &[plain::OrderEvent],
) {
    now(store.append(&append_of(n, &ours, ExpectedVersion::Exactly(0))));
    let envelopes = plain::envelopes(order(n), 0, theirs).expect("an event is JSON");
    now(plain.append(envelopes, Some(0)));
}
