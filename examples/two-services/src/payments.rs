//! [`Payments`]: the service that takes the money, or does not.

use std::convert::Infallible;

use eventcore::{
    Command, CommandError, CommandLogic, Event, ExecuteError, HandlerError, NewEvents, StoredEvent,
    StreamId, Streams, SubscriptionStore, emit, execute, require,
};
use serde::{Deserialize, Serialize};

use crate::message::{Envelope, Message};
use crate::outbox::{Outbox, relay};
use crate::wire::{Receive, Wire};

/// What can happen in this service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum PaymentEvent {
    /// In the stream of an account.
    Deposited {
        /// How much came in.
        cents: u64,
    },
    /// In the stream of an account. It is the message [`Message::Charged`] too.
    Charged {
        /// The order that it is for.
        order: StreamId,
        /// How much went out.
        cents: u64,
    },
    /// In the stream of an account. It is the message [`Message::Declined`] too.
    Declined {
        /// The order that is not paid.
        order: StreamId,
    },
    /// In the stream of a message: it was handled.
    MessageHandled {},
}

/// Opens an account.
#[derive(Debug, Command)]
pub struct OpenAccount {
    /// The account.
    #[stream]
    pub account: StreamId,
    /// How much it begins with.
    pub cents: u64,
}

impl CommandLogic for OpenAccount {
    /// Whether it was opened before.
    type State = bool;
    type Event = PaymentEvent;

    fn apply(&self, _: bool, _: &StoredEvent<PaymentEvent>) -> bool {
        true
    }

    fn handle(&self, open: bool, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(!open, "{} was opened before", self.account);
        let mut events = NewEvents::new();
        let cents = self.cents;
        emit!(events, streams.account, PaymentEvent::Deposited { cents });
        Ok(events)
    }
}

/// Takes money from an account, or declines. The message is handled in the same append, so a message
/// that comes again takes nothing again.
#[derive(Debug, Command)]
struct Charge {
    #[stream]
    message: StreamId,
    #[stream]
    account: StreamId,
    order: StreamId,
    cents: u64,
}

/// What the two streams say.
#[derive(Debug, Default)]
struct Known {
    handled: bool,
    balance: u64,
}

impl CommandLogic for Charge {
    type State = Known;
    type Event = PaymentEvent;

    fn apply(&self, mut known: Known, stored: &StoredEvent<PaymentEvent>) -> Known {
        match stored.event {
            PaymentEvent::Deposited { cents } => {
                known.balance = known.balance.saturating_add(cents)
            }
            PaymentEvent::Charged { cents, .. } => {
                known.balance = known.balance.saturating_sub(cents);
            }
            PaymentEvent::Declined { .. } => {}
            PaymentEvent::MessageHandled {} => known.handled = true,
        }
        known
    }

    fn handle(
        &self,
        known: Known,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if known.handled {
            return Ok(events);
        }
        let (order, cents) = (self.order.clone(), self.cents);
        let outcome = match cents <= known.balance {
            true => PaymentEvent::Charged { order, cents },
            // An answer and no error: the other service has to know.
            false => PaymentEvent::Declined { order },
        };
        emit!(events, streams.message, PaymentEvent::MessageHandled {});
        emit!(events, streams.account, outcome);
        Ok(events)
    }
}

/// The service.
#[derive(Clone)]
pub struct Payments<S>(pub S);

const OUTBOX: Outbox<PaymentEvent> = Outbox {
    subscription: "to-orders",
    streams: "account-",
    message: |stored| match &stored.event {
        PaymentEvent::Charged { order, .. } => Some(Message::Charged {
            order: order.clone(),
        }),
        PaymentEvent::Declined { order } => Some(Message::Declined {
            order: order.clone(),
        }),
        _ => None,
    },
};

impl<S: SubscriptionStore + Clone + 'static> Payments<S> {
    /// Opens an account.
    ///
    /// # Errors
    ///
    /// Like [`execute`].
    pub async fn open(&self, account: &OpenAccount) -> Result<(), ExecuteError> {
        execute(&self.0, account).await.map(drop)
    }

    /// Tells the orders service of payments until the program ends.
    ///
    /// # Errors
    ///
    /// Like [`relay`].
    pub async fn tell<R: Receive>(&self, orders: &Wire<R>) -> Result<Infallible, HandlerError> {
        relay(&self.0, &OUTBOX, orders).await
    }
}

impl<S: SubscriptionStore + Clone + 'static> Receive for Payments<S> {
    async fn receive(&self, envelope: &Envelope) -> Result<(), HandlerError> {
        let Message::Charge {
            order,
            account,
            cents,
        } = envelope.message.clone()
        else {
            return Err("payments takes charges only".into());
        };
        let message = envelope.stream()?;
        let charge = Charge {
            message,
            account,
            order,
            cents,
        };
        execute(&self.0, &charge).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use eventcore_testing::Scenario;

    use super::*;

    #[test]
    fn a_message_is_handled_once_and_a_payment_that_is_too_high_is_declined() {
        let id = |id: &str| StreamId::new(id).unwrap();
        let charge = |message, cents| Charge {
            message: id(message),
            account: id("account-ada"),
            order: id("order-1"),
            cents,
        };
        let order = id("order-1");
        let handled = || PaymentEvent::MessageHandled {};
        let deposited = || {
            let deposited = PaymentEvent::Deposited { cents: 10 };
            Scenario::new().given("account-ada", [deposited])
        };
        let charged = PaymentEvent::Charged {
            order: order.clone(),
            cents: 10,
        };
        let taken = deposited().when(&charge("message-1", 10));
        taken.then([("message-1", handled()), ("account-ada", charged)]);
        let declined = deposited().when(&charge("message-2", 11));
        let event = PaymentEvent::Declined { order };
        declined.then([("message-2", handled()), ("account-ada", event)]);
        let again = deposited().given("message-3", [handled()]);
        again.when(&charge("message-3", 1)).then_nothing();
    }
}
