//! Commands: load the order, decide, append, apply.

use jiff::Timestamp;
use uuid::Uuid;

use super::order::{Order, State};
use super::{EventStore, Failure, Item, OrderEvent, envelopes};

/// The order as its events make it.
pub(crate) async fn load(store: &dyn EventStore, order: Uuid) -> Result<Order, Failure> {
    let mut state = Order::default();
    for envelope in store.of_aggregate(order).await? {
        state.apply(serde_json::from_value(envelope.payload)?);
        state.version = envelope.version;
    }
    Ok(state)
}

/// The order after the command.
async fn execute(
    store: &dyn EventStore,
    order: Uuid,
    decide: impl FnOnce(&Order) -> Result<Vec<OrderEvent>, Failure> + Send,
) -> Result<Order, Failure> {
    let mut state = load(store, order).await?;
    let events = decide(&state)?;
    let envelopes = envelopes(order, state.version, &events)?;
    state.version = store.append(envelopes, Some(state.version)).await?;
    events.into_iter().for_each(|event| state.apply(event));
    Ok(state)
}

pub(crate) async fn create_order(
    store: &dyn EventStore,
    order: Uuid,
    customer_id: Uuid,
) -> Result<Order, Failure> {
    execute(store, order, |state| match state.id {
        Some(_) => Err(Failure::Rejected("exists")),
        None => Ok(vec![OrderEvent::OrderCreated {
            order_id: order,
            customer_id,
            created_at: Timestamp::now(),
        }]),
    })
    .await
}

pub(crate) async fn add_item(
    store: &dyn EventStore,
    order: Uuid,
    item: Item,
) -> Result<Order, Failure> {
    execute(store, order, |state| {
        if state.state != State::Draft {
            return Err(Failure::Rejected("no draft"));
        }
        if item.quantity == 0 || item.unit_price.cents <= 0 {
            return Err(Failure::Rejected("no quantity or no price"));
        }
        Ok(vec![match state.items.get(&item.product_id) {
            None => OrderEvent::ItemAdded(item),
            Some(old) => OrderEvent::ItemQuantityUpdated {
                old_quantity: old.quantity,
                new_quantity: old.quantity + item.quantity,
                product_id: item.product_id,
            },
        }])
    })
    .await
}

pub(crate) async fn submit_order(store: &dyn EventStore, order: Uuid) -> Result<Order, Failure> {
    execute(store, order, |state| {
        if state.state != State::Draft || state.items.is_empty() {
            return Err(Failure::Rejected("no draft with items"));
        }
        Ok(vec![OrderEvent::OrderSubmitted {
            submitted_at: Timestamp::now(),
            total_amount: state.total(),
            item_count: state.items.len(),
        }])
    })
    .await
}
