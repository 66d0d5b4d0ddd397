//! The books of a product's stock.

use eventcore_testing::Scenario;
use orders::commands::ReceiveStock;
use orders::domain::{
    FULL_BOOK, FulfilmentEvent, OrderEvent, OrderId, ProductId, ProductName, Quantity, ShopEvent,
    Step, StockEvent,
};
use orders::fulfilment::{ReleaseStock, ReserveStock};

use super::{added, created, received, submitted};

fn three() -> Quantity {
    Quantity::new(3).unwrap()
}

fn opened(book: u32, available: u64) -> StockEvent {
    StockEvent::BookOpened { book, available }
}

/// As many entries as a book has when it is closed, of a piece each.
fn full() -> Vec<StockEvent> {
    vec![received(1); FULL_BOOK as usize]
}

#[test]
fn a_reservation_closes_a_full_book_and_begins_the_next_one() {
    let id = OrderId::new();
    let quantity = three();
    let reserved = || StockEvent::StockReserved {
        order_id: id,
        quantity,
    };
    let reference = format!("RES-{id}");
    let reservation_id = reference.clone();
    let step = Step::ReserveInventory;
    let rest = [
        (
            id.stream().to_string(),
            ShopEvent::from(OrderEvent::OrderReserved { reservation_id }),
        ),
        (
            id.fulfilment().to_string(),
            FulfilmentEvent::StepCompleted { step, reference }.into(),
        ),
    ];
    let order = || Scenario::new().given(id.stream(), [created(id), added("A", 3), submitted()]);
    let expect = |events: Vec<(&str, StockEvent)>| {
        let stock = events
            .into_iter()
            .map(|(book, event)| (book.to_owned(), event.into()));
        stock.chain(rest.clone()).collect::<Vec<_>>()
    };

    order()
        .given("product-A", full())
        .when(&ReserveStock::new(id))
        .then(expect(vec![
            ("product-A", opened(1, 250)),
            ("stock-1-A", reserved()),
        ]));
    order()
        .given("product-A", [received(9), opened(1, 3)])
        .when(&ReserveStock::new(id))
        .then(expect(vec![("stock-1-A", reserved())]));
    order()
        .given("product-A", [received(9), opened(1, 9)])
        .given("stock-1-A", full())
        .when(&ReserveStock::new(id))
        .then(expect(vec![
            ("product-A", opened(2, 259)),
            ("stock-2-A", reserved()),
        ]));
}

#[test]
fn what_is_missing_in_the_current_book_is_missing() {
    let id = OrderId::new();
    let reason = "Insufficient stock of A: 2 available, 3 wanted".to_owned();
    Scenario::new()
        .given(id.stream(), [created(id), added("A", 3), submitted()])
        .given("product-A", [received(9), opened(1, 1)])
        .given("stock-1-A", [received(1)])
        .when(&ReserveStock::new(id))
        .then([(
            id.fulfilment(),
            FulfilmentEvent::CompensationStarted { reason }.into(),
        )]);
}

#[test]
fn pieces_arrive_and_come_back_in_the_current_book() {
    let (id, step) = (OrderId::new(), Step::ReserveInventory);
    let books = || Scenario::new().given("product-A", [received(9), opened(1, 9), opened(2, 9)]);
    let (product, name) = (
        ProductId::new("A").unwrap(),
        ProductName::new("name").unwrap(),
    );
    books()
        .when(&ReceiveStock::new(&product, name, three()))
        .then([("stock-2-A", received(3).into())]);

    let reference = "R".to_owned();
    let released = StockEvent::StockReleased {
        order_id: id,
        quantity: three(),
    };
    books()
        .given(id.stream(), [created(id), added("A", 3), submitted()])
        .given(
            id.fulfilment(),
            [FulfilmentEvent::StepCompleted { step, reference }],
        )
        .when(&ReleaseStock::new(id))
        .then([
            ("stock-2-A".to_owned(), ShopEvent::from(released)),
            (
                id.fulfilment().to_string(),
                FulfilmentEvent::StepCompensated { step }.into(),
            ),
        ]);
}
