//! Fulfilments: what starts them, what they do to the stock, how they fail.

use eventcore_testing::Scenario;
use orders::commands::{ReceiveStock, StartFulfilment};
use orders::domain::{
    FulfilmentEvent, OrderError, OrderEvent, OrderId, OrderState, ProductId, ProductName, Quantity,
    ShopEvent, Step, StockEvent,
};
use orders::fulfilment::{GiveUp, ReleaseStock, ReserveStock};

use super::{added, created, in_state, reason, received, submitted};

#[test]
fn a_fulfilment_starts_with_a_draft_that_has_items() {
    let id = OrderId::new();
    let start = StartFulfilment::new(id);
    Scenario::new()
        .given(id.stream(), [created(id), added("A", 1)])
        .when(&start)
        .then([
            (id.stream(), ShopEvent::from(submitted())),
            (id.fulfilment(), FulfilmentEvent::FulfilmentStarted.into()),
        ]);
    let is_submitted = [created(id), added("A", 1), submitted()];
    Scenario::new()
        .given(id.stream(), is_submitted.clone())
        .when(&start)
        .then([(id.fulfilment(), FulfilmentEvent::FulfilmentStarted.into())]);
    let again = Scenario::new()
        .given(id.stream(), is_submitted)
        .given(id.fulfilment(), [FulfilmentEvent::FulfilmentStarted])
        .when(&start);
    again.then_rejected("being fulfilled");
    let empty = Scenario::new()
        .given(id.stream(), [created(id)])
        .when(&start);
    assert_eq!(
        empty.then_rejected_with::<OrderError>(),
        &OrderError::NoItems
    );
}

#[test]
fn stock_is_reserved_of_all_products_or_of_none_and_released_once() {
    let id = OrderId::new();
    let quantity = |pieces| Quantity::new(pieces).unwrap();
    let order = [created(id), added("A", 2), added("B", 3)];
    let reserved = |pieces| StockEvent::StockReserved {
        order_id: id,
        quantity: quantity(pieces),
    };
    let reference = format!("RES-{id}");
    let (step, reservation_id) = (Step::ReserveInventory, reference.clone());
    let completed = FulfilmentEvent::StepCompleted { step, reference };
    Scenario::new()
        .given(id.stream(), order.clone())
        .given("product-A", [received(2)])
        .given("product-B", [received(5)])
        .when(&ReserveStock::new(id))
        .then([
            ("product-A".to_owned(), ShopEvent::from(reserved(2))),
            ("product-B".to_owned(), reserved(3).into()),
            (
                id.stream().to_string(),
                OrderEvent::OrderReserved { reservation_id }.into(),
            ),
            (id.fulfilment().to_string(), completed.clone().into()),
        ]);

    let reason = "Insufficient stock of B: 2 available, 3 wanted".to_owned();
    Scenario::new()
        .given(id.stream(), order.clone())
        .given("product-A", [received(2)])
        .given("product-B", [received(2)])
        .when(&ReserveStock::new(id))
        .then([(
            id.fulfilment(),
            FulfilmentEvent::CompensationStarted { reason }.into(),
        )]);

    let released = |pieces| StockEvent::StockReleased {
        order_id: id,
        quantity: quantity(pieces),
    };
    let held = || {
        Scenario::new().given(id.stream(), order.clone()).given(
            id.fulfilment(),
            [FulfilmentEvent::FulfilmentStarted, completed.clone()],
        )
    };
    let compensated = FulfilmentEvent::StepCompensated { step };
    held().when(&ReleaseStock::new(id)).then([
        ("product-A".to_owned(), ShopEvent::from(released(2))),
        ("product-B".to_owned(), released(3).into()),
        (id.fulfilment().to_string(), compensated.clone().into()),
    ]);
    held()
        .given(id.fulfilment(), [compensated])
        .when(&ReleaseStock::new(id))
        .then_nothing();
}

#[test]
fn a_fulfilment_that_failed_cancels_its_order_once() {
    let id = OrderId::new();
    let give_up = GiveUp::new(id, "no\nmoney");
    let failed = FulfilmentEvent::FulfilmentFailed {
        reason: "no\nmoney".to_owned(),
    };
    let cancelled = OrderEvent::OrderCancelled {
        reason: reason("Saga failed: nomoney"),
        cancelled_by: Some(reason("saga_coordinator")),
    };
    Scenario::new()
        .given(id.stream(), in_state(id, OrderState::Processing))
        .when(&give_up)
        .then([
            (id.stream(), ShopEvent::from(cancelled)),
            (id.fulfilment(), failed.clone().into()),
        ]);
    Scenario::new()
        .given(id.stream(), in_state(id, OrderState::Cancelled))
        .when(&give_up)
        .then([(id.fulfilment(), failed.clone().into())]);
    Scenario::new()
        .given(id.fulfilment(), [failed])
        .when(&give_up)
        .then_nothing();
}

#[test]
fn stock_arrives_whatever_there_was() {
    let product = ProductId::new("A").unwrap();
    let name = ProductName::new("name").unwrap();
    let receive = ReceiveStock::new(&product, name, Quantity::new(3).unwrap());
    Scenario::new()
        .given("product-A", [received(1)])
        .when(&receive)
        .then([("product-A", received(3).into())]);
}
