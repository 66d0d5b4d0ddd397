//! The rows of the read models.

use eventcore::{
    EventStore, InMemoryEventStore, Projection, ProjectionName, ProjectionStore,
    run_projection_until,
};
use orders::domain::ShopEvent;
use orders::read_models::{OrderQuery, OrderView, ReadModels, Views};

use super::samples::{customer, one_order, submitted_orders};
use super::{Row, at_once, now};
use crate::plain::{EventStore as _, Memory, Processor};

/// One event to new read models, with its checkpoint.
pub(super) fn project() -> Row {
    let (store, plain) = one_order(1);
    let event = now(store.read_all(&eventcore::ReadAll::new())).remove(0);
    let envelope = now(plain.all()).remove(0);
    Row {
        name: "process 1 event",
        unit: "events/s",
        per_run: 1,
        orders: Box::new(move || {
            // The store of a projection in memory keeps its checkpoint.
            let (store, mut views) = (InMemoryEventStore::new(), views());
            let mut transaction = now(store.begin());
            let name = ProjectionName::new(views.name()).expect("a valid name");
            let (from, to) = (eventcore::Position::START, event.position);
            now(store.advance_checkpoint(&mut transaction, &name, from, to));
            let event = event.clone().decode::<ShopEvent>();
            now(views.apply(event.expect("an event of ours"), &mut transaction));
            now(store.commit(transaction));
        }),
        plain: Box::new(move || now(Processor::new().process_event(&envelope))),
    }
}

/// All events to new read models.
pub(super) fn catch_up(name: &'static str, orders: u32) -> Row {
    let (store, plain) = submitted_orders(orders);
    let last = now(store.safe_position());
    Row {
        name,
        unit: "events/s",
        per_run: 3 * orders,
        orders: Box::new(move || now(run_projection_until(&store, &mut views(), last))),
        plain: Box::new(move || now(Processor::new().run_catch_up(&plain))),
    }
}

pub(super) fn list() -> Row {
    list_of("list 100 orders", 100, None)
}

/// Ten of the hundred orders are of each customer.
pub(super) fn list_of_customer() -> Row {
    list_of("list the 10 of 100 orders that a customer has", 10, Some(3))
}

fn list_of(name: &'static str, length: usize, of: Option<u128>) -> Row {
    let (models, processor) = filled(100);
    let query = OrderQuery {
        view: OrderView::Current,
        state: None,
        customer: of.map(customer),
        after: None,
        limit: 100,
    };
    Row {
        name,
        unit: "queries/s",
        per_run: 1,
        orders: Box::new(move || assert_eq!(now(models.0.orders(&query)).orders.len(), length)),
        plain: Box::new(move || {
            let orders = match of {
                None => at_once(processor.0.current.all()),
                Some(n) => at_once(processor.0.current.of_customer(customer(n))),
            };
            assert_eq!(orders.len(), length);
        }),
    }
}

pub(super) fn rebuild() -> Row {
    let (models, processor) = filled(100);
    Row {
        name: "rebuild from 300 events",
        unit: "events/s",
        per_run: 300,
        orders: Box::new(move || now(models.0.rebuild())),
        plain: Box::new(move || now(processor.0.rebuild_all(&processor.1))),
    }
}

/// Read models of both sides that have caught up with this number of orders, and their stores.
fn filled(orders: u32) -> ((ReadModels, InMemoryEventStore), (Processor, Memory)) {
    let (store, plain) = submitted_orders(orders);
    let mut views = views();
    let last = now(store.safe_position());
    now(run_projection_until(&store, &mut views, last));
    let processor = Processor::new();
    now(processor.run_catch_up(&plain));
    let models = ReadModels::Memory(store.clone(), views);
    ((models, store), (processor, plain))
}

fn views() -> Views {
    Views::new().expect("the name is valid")
}
