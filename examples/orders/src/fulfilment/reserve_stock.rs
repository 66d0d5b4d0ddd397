//! [`ReserveStock`]: the first step. Sets aside what an order needs, of all its products or of none.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamResolver, Streams,
    emit,
};

use crate::commands::Known;
use crate::domain::{
    FulfilmentEvent, InsufficientStock, OrderCommand, OrderId, Product, ShopEvent, Step, StockEvent,
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

    /// What is set aside: an event for each product.
    fn reservations(
        &self,
        known: &Known,
    ) -> Result<Vec<(StreamId, StockEvent)>, InsufficientStock> {
        let items = known.order.iter().flat_map(|order| &order.items);
        items
            .map(|item| {
                let none = Product::default();
                let product = known.products.get(&item.product_id).unwrap_or(&none);
                let event = product.reserve(&item.product_id, self.id, item.quantity)?;
                Ok((item.product_id.stream(), event))
            })
            .collect()
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
        for (product, event) in stock {
            emit!(events, streams.discovered(&product)?, event.into());
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
        known.product_streams()
    }
}
