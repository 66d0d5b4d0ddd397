//! [`ReleaseStock`]: undoes the first step.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamResolver, Streams,
    emit,
};

use crate::commands::Known;
use crate::domain::{FulfilmentEvent, OrderId, ShopEvent, Step, StockEvent};

/// Makes the pieces available again that were set aside for an order, if they were.
#[derive(Debug, Clone, Command)]
pub struct ReleaseStock {
    #[stream]
    order: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
}

impl ReleaseStock {
    /// Of this order.
    pub fn new(id: OrderId) -> Self {
        Self {
            order: id.stream(),
            fulfilment: id.fulfilment(),
            id,
        }
    }
}

impl CommandLogic for ReleaseStock {
    type State = Known;
    type Event = ShopEvent;

    fn apply(&self, known: Known, stored: &StoredEvent<ShopEvent>) -> Known {
        known.apply(stored)
    }

    fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let step = Step::ReserveInventory;
        if !known.fulfilment.holds(step) {
            return Ok(events);
        }
        for item in known.order.iter().flat_map(|order| &order.items) {
            let released = StockEvent::StockReleased {
                order_id: self.id,
                quantity: item.quantity,
            };
            let book = item.product_id.book(known.product(&item.product_id).book);
            emit!(events, streams.discovered(&book)?, released.into());
        }
        emit!(
            events,
            streams.fulfilment,
            FulfilmentEvent::StepCompensated { step }.into()
        );
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Known>> {
        Some(self)
    }
}

impl StreamResolver<Known> for ReleaseStock {
    fn discover_related_streams(&self, known: &Known) -> Vec<StreamId> {
        known.books()
    }
}
