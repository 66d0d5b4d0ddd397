//! The rows of commands on orders.

use eventcore::{ExecuteOptions, InMemoryEventStore};
use orders::commands::{ChangeOrder, Known};
use orders::domain::{OrderCommand, OrderId, ShopEvent};
use orders::store::Store;

use super::samples::{customer, customer_id, item, one_order, order, plain_item};
use super::{Row, now};
use crate::plain::{self, Memory};

fn new_order(id: OrderId) -> OrderCommand {
    OrderCommand::CreateOrder {
        order_id: id,
        customer_id: customer_id(0),
    }
}

pub(super) fn create() -> Row {
    let (options, id) = (ExecuteOptions::new(), OrderId::from(order(0)));
    Row {
        name: "create an order",
        unit: "commands/s",
        per_run: 1,
        orders: Box::new(move || {
            let store = Store::Memory(InMemoryEventStore::new());
            let create = ChangeOrder::new(id, [new_order(id)]);
            assert!(now(store.execute(&create, &options)).wrote());
        }),
        plain: Box::new(|| {
            let store = Memory::default();
            let created = now(plain::create_order(&store, order(0), customer(0)));
            assert_eq!(created.version, 1);
        }),
    }
}

/// Three commands, one after the other, as in three requests.
pub(super) fn full_cycle() -> Row {
    let (options, id) = (ExecuteOptions::new(), OrderId::from(order(0)));
    Row {
        name: "create an order, add an item, submit it",
        unit: "cycles/s",
        per_run: 1,
        orders: Box::new(move || {
            let store = Store::Memory(InMemoryEventStore::new());
            for command in [
                new_order(id),
                OrderCommand::AddItem(item(1)),
                OrderCommand::SubmitOrder,
            ] {
                let change = ChangeOrder::new(id, [command]);
                assert!(now(store.execute(&change, &options)).wrote());
            }
        }),
        plain: Box::new(|| {
            let store = Memory::default();
            now(plain::create_order(&store, order(0), customer(0)));
            now(plain::add_item(&store, order(0), plain_item(1)));
            let submitted = now(plain::submit_order(&store, order(0)));
            assert_eq!(submitted.version, 3);
        }),
    }
}

/// Reads the events of an order and makes its state of them, as `GET /orders/{id}` does.
pub(super) fn fold(name: &'static str, events: u32) -> Row {
    let (store, plain) = one_order(events);
    let (store, id) = (Store::Memory(store), OrderId::from(order(0)));
    let items = events as usize - 1;
    Row {
        name,
        unit: "events/s",
        per_run: events,
        orders: Box::new(move || {
            let read = now(store.read([id.stream()]));
            let decoded = read.events.into_iter().map(|event| event.decode());
            let known = decoded.fold(Known::default(), |known, event| {
                known.apply(&event.expect("an event of ours") as &eventcore::StoredEvent<ShopEvent>)
            });
            assert_eq!(known.order.expect("it exists").items.len(), items);
        }),
        plain: Box::new(move || {
            let order = now(plain::load(&plain, order(0)));
            assert_eq!(order.items.len(), items);
        }),
    }
}
