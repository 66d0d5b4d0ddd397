//! [`TakePayment`]: the second step. Asks the payment provider for the money.

use eventcore::{
    AsyncCommandLogic, Command, CommandError, NewEvents, StoredEvent, StreamId, Streams, emit,
};

use crate::commands::Known;
use crate::domain::{FulfilmentEvent, OrderCommand, OrderId, PaymentEvent, ShopEvent, Step};
use crate::outside::{Answer, Outside};

/// Takes the money for an order. If the order changes while the provider is asked, the command
/// decides again and asks again: the provider gives the same answer.
#[derive(Clone, Command)]
pub struct TakePayment {
    #[stream]
    order: StreamId,
    #[stream]
    payment: StreamId,
    #[stream]
    fulfilment: StreamId,
    id: OrderId,
    outside: Outside,
}

impl TakePayment {
    /// For this order, from this provider.
    pub fn new(id: OrderId, outside: &Outside) -> Self {
        Self {
            order: id.stream(),
            payment: id.payment(),
            fulfilment: id.fulfilment(),
            id,
            outside: outside.clone(),
        }
    }
}

impl AsyncCommandLogic for TakePayment {
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
        let amount = known.order().map_err(CommandError::rejected)?.total();
        // Whether the order allows it is known before anybody is asked for money.
        let paid = |payment_id: String| {
            let start = OrderCommand::StartProcessing { payment_id };
            OrderCommand::decide_all(&[start], known.order.clone()).map_err(CommandError::rejected)
        };
        paid(String::new())?;
        let charged = self.outside.payments.charge(self.id, amount).await;

        let mut events = NewEvents::new();
        match charged.map_err(CommandError::failed)? {
            Answer::Done(payment_id) => {
                let taken = PaymentEvent::PaymentTaken {
                    payment_id: payment_id.clone(),
                    amount,
                };
                emit!(events, streams.payment, taken.into());
                for event in paid(payment_id.clone())? {
                    emit!(events, streams.order, event.into());
                }
                let step = Step::ProcessPayment;
                let completed = FulfilmentEvent::StepCompleted {
                    step,
                    reference: payment_id,
                };
                emit!(events, streams.fulfilment, completed.into());
            }
            Answer::Refused(reason) => {
                let declined = PaymentEvent::PaymentDeclined {
                    reason: reason.clone(),
                };
                emit!(events, streams.payment, declined.into());
                let started = FulfilmentEvent::CompensationStarted { reason };
                emit!(events, streams.fulfilment, started.into());
            }
        }
        Ok(events)
    }
}
