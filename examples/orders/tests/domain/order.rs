//! Orders: which command is allowed when, and what follows from it.

use eventcore::{
    Append, EventStore, ExpectedVersion, InMemoryEventStore, NewEvent, ReadStream, StoredEvent,
    StreamField, StreamVersion,
};
use eventcore_testing::Scenario;
use futures_util::FutureExt;
use orders::commands::{ChangeOrder, Request};
use orders::domain::{
    CustomerId, Order, OrderCommand, OrderError, OrderEvent, OrderId, OrderState, ProductId,
    Quantity, RequestKey, ShopEvent,
};

use super::{added, created, in_state, item, reason, submitted};

#[test]
fn each_command_is_allowed_in_its_states_and_in_no_other() {
    use OrderState::{Draft, Processing, Reserved};
    let text = || "X".to_owned();
    let product_id = ProductId::new("A").unwrap();
    let id = OrderId::new();
    let customer_id = CustomerId::new();
    let cases: [(OrderCommand, &[OrderState]); 9] = [
        (
            OrderCommand::CreateOrder {
                order_id: id,
                customer_id,
            },
            &[],
        ),
        (OrderCommand::AddItem(item("B", 1)), &[Draft]),
        (
            OrderCommand::RemoveItem {
                product_id: product_id.clone(),
            },
            &[Draft],
        ),
        (
            OrderCommand::UpdateItemQuantity {
                product_id,
                new_quantity: Quantity::new(9).ok(),
            },
            &[Draft],
        ),
        (OrderCommand::SubmitOrder, &[Draft]),
        (
            OrderCommand::MarkReserved {
                reservation_id: text(),
            },
            &[Draft],
        ),
        (
            OrderCommand::StartProcessing { payment_id: text() },
            &[Reserved],
        ),
        (
            OrderCommand::CompleteOrder {
                tracking_number: text(),
            },
            &[Processing],
        ),
        (
            OrderCommand::CancelOrder {
                reason: reason("x"),
                cancelled_by: None,
            },
            &[Draft, Reserved, Processing],
        ),
    ];
    for (command, allowed) in cases {
        for state in OrderState::ALL {
            let outcome = Scenario::new()
                .given(id.stream(), in_state(id, state))
                .when(&ChangeOrder::new(id, [command.clone()]));
            if !allowed.contains(&state) {
                outcome.then_rejected_with::<OrderError>();
                continue;
            }
            let known = command.decide(Some(&folded(&in_state(id, state)))).unwrap();
            outcome.then([(id.stream(), ShopEvent::from(known.unwrap()))]);
        }
        if !matches!(command, OrderCommand::CreateOrder { .. }) {
            let outcome = Scenario::new().when(&ChangeOrder::new(id, [command]));
            assert_eq!(
                outcome.then_rejected_with::<OrderError>(),
                &OrderError::NotFound
            );
        }
    }
}

/// The order that these events lead to.
fn folded(events: &[OrderEvent]) -> Order {
    let OrderEvent::OrderCreated { order_id, .. } = &events[0] else {
        panic!("no order")
    };
    let store = InMemoryEventStore::new();
    let append = Append::new().stream(order_id.stream(), ExpectedVersion::Exactly(0));
    let append = events.iter().fold(append, |append, event| {
        append.event(NewEvent::encode(order_id.stream(), event).unwrap())
    });
    let stored = async {
        store.append(&append).await.unwrap();
        store
            .read_stream(&ReadStream::new(order_id.stream()))
            .await
            .unwrap()
    };
    let stored = stored
        .now_or_never()
        .unwrap()
        .into_iter()
        .map(|event| event.decode::<OrderEvent>().unwrap());
    let fold = |order, stored: StoredEvent<OrderEvent>| {
        let event = stored.event.clone();
        Order::apply(order, &stored, &event)
    };
    stored.fold(None, fold).unwrap()
}

#[test]
fn a_new_order_comes_with_its_items_or_not_at_all() {
    let id = OrderId::new();
    let customer_id = CustomerId::new();
    let create = OrderCommand::CreateOrder {
        order_id: id,
        customer_id,
    };
    let add = |product, quantity| OrderCommand::AddItem(item(product, quantity));
    let place = ChangeOrder::new(id, [create.clone(), add("A", 2), add("A", 3)]);
    Scenario::new().when(&place).then([
        (
            id.stream(),
            OrderEvent::OrderCreated {
                order_id: id,
                customer_id,
            }
            .into(),
        ),
        (id.stream(), added("A", 2).into()),
        (
            id.stream(),
            OrderEvent::ItemQuantityUpdated {
                product_id: ProductId::new("A").unwrap(),
                old_quantity: Quantity::new(2).unwrap(),
                new_quantity: Quantity::new(5).unwrap(),
            }
            .into(),
        ),
    ]);
    let too_many = ChangeOrder::new(id, [create, add("A", Quantity::MAX), add("A", 1)]);
    Scenario::new()
        .when(&too_many)
        .then_rejected("a quantity of 1000001");
}

#[test]
fn a_request_is_handled_once_and_a_demanded_version_is_checked() {
    let id = OrderId::new();
    let request = Request::new(&RequestKey::new("key").unwrap(), b"content");
    let submit = ChangeOrder::new(id, [OrderCommand::SubmitOrder]).once_for(Some(request.clone()));
    let draft = || Scenario::new().given(id.stream(), [created(id), added("A", 1)]);
    let stream = request.stream_id().clone();
    draft().when(&submit).then([
        (stream.clone(), request.handled().into()),
        (id.stream(), ShopEvent::from(submitted())),
    ]);
    draft()
        .given(stream.as_str(), [request.handled()])
        .when(&submit)
        .then_nothing();
    let other = Request::new(&RequestKey::new("key").unwrap(), b"other");
    let outcome = draft()
        .given(stream.as_str(), [other.handled()])
        .when(&submit);
    assert_eq!(
        outcome.then_rejected_with::<OrderError>(),
        &OrderError::KeyReused
    );

    let [expected, actual] = [1, 2].map(StreamVersion::new);
    let outcome = draft().when(&submit.if_match(Some(expected)));
    let rejected = outcome.then_rejected_with::<OrderError>();
    assert_eq!(rejected, &OrderError::OtherVersion { expected, actual });
}
