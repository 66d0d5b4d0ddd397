//! [`RefundPayment`] and [`WithdrawShipment`]: undo the steps that partners outside have a part in.
//!
//! The partner is told even if no answer of it was recorded: it may have done what it was asked just
//! before the process was interrupted. After that it will not do it any more.

use eventcore::{
    AsyncCommandLogic, Command, CommandError, NewEvents, StoredEvent, StreamId, Streams, emit,
};

use crate::commands::Known;
use crate::domain::{FulfilmentEvent, OrderId, PaymentEvent, ShipmentEvent, ShopEvent, Step};
use crate::outside::Outside;

/// Gives the money for an order back.
#[derive(Clone, Command)]
pub struct RefundPayment {
    #[stream]
    payment: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
    outside: Outside,
}

/// Takes the shipment of an order back.
#[derive(Clone, Command)]
pub struct WithdrawShipment {
    #[stream]
    shipment: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
    outside: Outside,
}

impl RefundPayment {
    /// For this order, by this provider.
    pub fn new(id: OrderId, outside: &Outside) -> Self {
        let (payment, fulfilment) = (id.payment(), id.fulfilment());
        Self {
            payment,
            fulfilment,
            id,
            outside: outside.clone(),
        }
    }
}

impl WithdrawShipment {
    /// Of this order, by this carrier.
    pub fn new(id: OrderId, outside: &Outside) -> Self {
        let (shipment, fulfilment) = (id.shipment(), id.fulfilment());
        Self {
            shipment,
            fulfilment,
            id,
            outside: outside.clone(),
        }
    }
}

impl AsyncCommandLogic for RefundPayment {
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
        let mut events = NewEvents::new();
        if known.payment == Some(PaymentEvent::PaymentRefunded) {
            return Ok(events);
        }
        self.outside
            .payments
            .refund(self.id)
            .await
            .map_err(CommandError::failed)?;
        emit!(
            events,
            streams.payment,
            PaymentEvent::PaymentRefunded.into()
        );
        let step = Step::ProcessPayment;
        if known.fulfilment.holds(step) {
            emit!(
                events,
                streams.fulfilment,
                FulfilmentEvent::StepCompensated { step }.into()
            );
        }
        Ok(events)
    }
}

impl AsyncCommandLogic for WithdrawShipment {
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
        let mut events = NewEvents::new();
        if known.shipment == Some(ShipmentEvent::ShipmentWithdrawn) {
            return Ok(events);
        }
        self.outside
            .carrier
            .withdraw(self.id)
            .await
            .map_err(CommandError::failed)?;
        emit!(
            events,
            streams.shipment,
            ShipmentEvent::ShipmentWithdrawn.into()
        );
        let step = Step::CreateShipment;
        if known.fulfilment.holds(step) {
            emit!(
                events,
                streams.fulfilment,
                FulfilmentEvent::StepCompensated { step }.into()
            );
        }
        Ok(events)
    }
}
