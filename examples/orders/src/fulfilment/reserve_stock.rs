//! [`ReserveStock`]: the first step. Sets aside what an order needs, of all its products or of none.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamResolver, Streams,
    emit,
};

use crate::commands::Known;
use crate::domain::{
    FulfilmentEvent, InsufficientStock, OrderCommand, OrderId, ShopEvent, Step, StockEvent,
};

/// Sets the stock for an order aside. The streams of its products are found while the order is read;
/// the append is refused if one of them has changed since, so two orders never get the last piece.
#[derive(Debug, Clone, Command)]
pub struct ReserveStock {
    #[stream]
    order: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
}

impl ReserveStock {
    /// For this order.
    pub fn new(id: OrderId) -> Self {
        Self {
            order: id.stream(),
            fulfilment: id.fulfilment(),
            id,
        }
    }

    /// What is set aside: an event for each product, and before it another one if its book is full.
    fn reservations(
        &self,
        known: &Known,
    ) -> Result<Vec<(StreamId, StockEvent)>, InsufficientStock> {
        let items = known.order.iter().flat_map(|order| &order.items);
        let mut events = Vec::new();
        for item in items {
            let id = &item.product_id;
            let mut product = known.product(id);
            let reserved = product.reserve(id, self.id, item.quantity)?;
            if let Some(opened) = product.open_book() {
                product = product.apply(&opened);
                events.push((id.first_book(), opened));
            }
            events.push((id.book(product.book), reserved));
        }
        Ok(events)
    }
}

impl CommandLogic for ReserveStock {
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
        let reservation_id = format!("RES-{}", self.id);
        let reserve = OrderCommand::MarkReserved {
            reservation_id: reservation_id.clone(),
        };
        let reserved = OrderCommand::decide_all(&[reserve], known.order.clone());
        let reserved = reserved.map_err(CommandError::rejected)?;
        let stock = match self.reservations(&known) {
            Ok(stock) => stock,
            Err(insufficient) => {
                let reason = insufficient.to_string();
                let started = FulfilmentEvent::CompensationStarted { reason };
                emit!(events, streams.fulfilment, started.into());
                return Ok(events);
            }
        };
        for (book, event) in stock {
            emit!(events, streams.discovered(&book)?, event.into());
        }
        for event in reserved {
            emit!(events, streams.order, event.into());
        }
        let step = Step::ReserveInventory;
        let completed = FulfilmentEvent::StepCompleted {
            step,
            reference: reservation_id,
        };
        emit!(events, streams.fulfilment, completed.into());
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Known>> {
        Some(self)
    }
}

impl StreamResolver<Known> for ReserveStock {
    fn discover_related_streams(&self, known: &Known) -> Vec<StreamId> {
        known.books()
    }
}
