//! The same orders with eventcore: their events, and the commands on them.

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, emit, require,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::orders::{Created, ItemAdded, Order, Submitted};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) enum OrderEvent {
    #[event(name = "OrderCreated")]
    Created(Created),
    ItemAdded(ItemAdded),
    #[event(name = "OrderSubmitted")]
    Submitted(Submitted),
}

#[derive(Command)]
pub(crate) struct Create {
    #[stream]
    pub(crate) order: StreamId,
    pub(crate) created: Created,
}

#[derive(Command)]
pub(crate) struct Add {
    #[stream]
    pub(crate) order: StreamId,
    pub(crate) item: ItemAdded,
}

#[derive(Command)]
pub(crate) struct Submit {
    #[stream]
    pub(crate) order: StreamId,
}

/// Reads the order and writes nothing.
#[derive(Command)]
pub(crate) struct Look {
    #[stream]
    pub(crate) order: StreamId,
}

pub(crate) fn stream(order: Uuid) -> StreamId {
    StreamId::new(format!("order-{order}")).expect("a name without control characters")
}

fn apply(mut order: Order, stored: &StoredEvent<OrderEvent>) -> Order {
    match &stored.event {
        OrderEvent::Created(created) => order.create(created),
        OrderEvent::ItemAdded(item) => order.add(item.sku.clone(), item.quantity, item.cents),
        OrderEvent::Submitted(_) => order.submit(),
    }
    order
}

/// The rest of a command: it always writes to its only stream, if at all.
macro_rules! decides {
    ($command:ident, $decide:expr) => {
        impl CommandLogic for $command {
            type State = Order;
            type Event = OrderEvent;

            fn apply(&self, order: Order, stored: &StoredEvent<OrderEvent>) -> Order {
                apply(order, stored)
            }

            fn handle(
                &self,
                order: Order,
                streams: eventcore::Streams<Self>,
            ) -> Result<NewEvents<Self>, CommandError> {
                let decide: fn(&Self, Order) -> Result<Option<OrderEvent>, CommandError> = $decide;
                let mut events = NewEvents::new();
                if let Some(event) = decide(self, order)? {
                    emit!(events, streams.order, event);
                }
                Ok(events)
            }
        }
    };
}

decides!(Create, |command, order| {
    require!(order.customer.is_none(), "the order exists");
    Ok(Some(OrderEvent::Created(command.created.clone())))
});

decides!(Add, |command, order| {
    require!(
        order.customer.is_some() && !order.submitted,
        "the order is not open"
    );
    Ok(Some(OrderEvent::ItemAdded(command.item.clone())))
});

decides!(Submit, |_, order| {
    require!(
        !order.submitted && !order.items.is_empty(),
        "there is nothing to submit"
    );
    Ok(Some(OrderEvent::Submitted(order.total())))
});

decides!(Look, |_, order| {
    require!(order.customer.is_some(), "there is no such order");
    Ok(None)
});
