//! [`BookShipment`]: the last step. Hands the order to the carrier, which completes it.

use eventcore::{
    AsyncCommandLogic, Command, CommandError, NewEvents, StoredEvent, StreamId, Streams, emit,
};

use crate::commands::Known;
use crate::domain::{FulfilmentEvent, OrderCommand, OrderId, ShipmentEvent, ShopEvent, Step};
use crate::outside::{Answer, Outside};

/// Books the shipment of an order.
#[derive(Clone, Command)]
pub struct BookShipment {
    #[stream]
    order: StreamId,
    #[stream]
    shipment: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
    outside: Outside,
}

impl BookShipment {
    /// Of this order, at this carrier.
    pub fn new(id: OrderId, outside: &Outside) -> Self {
        Self {
            order: id.stream(),
            shipment: id.shipment(),
            fulfilment: id.fulfilment(),
            id,
            outside: outside.clone(),
        }
    }
}

impl AsyncCommandLogic for BookShipment {
    type State = Known;
    type Event = ShopEvent;

    fn apply(&self, known: Known, stored: &StoredEvent<ShopEvent>) -> Known {
        known.apply(stored)
    }

    async fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let items = &known.order().map_err(CommandError::rejected)?.items;
        let pieces = items
            .iter()
            .map(|item| u64::from(item.quantity.get()))
            .sum();
        let shipped = |tracking_number: String| {
            let complete = OrderCommand::CompleteOrder { tracking_number };
            OrderCommand::decide_all(&[complete], known.order.clone())
                .map_err(CommandError::rejected)
        };
        shipped(String::new())?;
        let booked = self.outside.carrier.book(self.id, pieces).await;

        let mut events = NewEvents::new();
        match booked.map_err(CommandError::failed)? {
            Answer::Done(tracking_number) => {
                let booked = ShipmentEvent::ShipmentBooked {
                    tracking_number: tracking_number.clone(),
                };
                emit!(events, streams.shipment, booked.into());
                for event in shipped(tracking_number.clone())? {
                    emit!(events, streams.order, event.into());
                }
                let step = Step::CreateShipment;
                let completed = FulfilmentEvent::StepCompleted {
                    step,
                    reference: tracking_number,
                };
                emit!(events, streams.fulfilment, completed.into());
                emit!(
                    events,
                    streams.fulfilment,
                    FulfilmentEvent::FulfilmentCompleted.into()
                );
            }
            Answer::Refused(reason) => {
                let refused = ShipmentEvent::ShipmentRefused {
                    reason: reason.clone(),
                };
                emit!(events, streams.shipment, refused.into());
                let started = FulfilmentEvent::CompensationStarted { reason };
                emit!(events, streams.fulfilment, started.into());
            }
        }
        Ok(events)
    }
}
