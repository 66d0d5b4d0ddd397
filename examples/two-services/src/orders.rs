//! [`Orders`]: the service that begins the saga, and ends it.

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
pub enum OrderEvent {
    /// In the stream of an order. It is the message [`Message::Charge`] too.
    OrderPlaced {
        /// The account that pays.
        account: StreamId,
        /// How much.
        cents: u64,
    },
    /// In the stream of an order: it is paid.
    OrderConfirmed {},
    /// In the stream of an order: it cannot be paid.
    OrderCancelled {},
    /// In the stream of a message: it was handled.
    MessageHandled {},
}

/// Places an order.
#[derive(Debug, Command)]
pub struct PlaceOrder {
    /// The order.
    #[stream]
    pub order: StreamId,
    /// The account that pays.
    pub account: StreamId,
    /// How much.
    pub cents: u64,
}

impl CommandLogic for PlaceOrder {
    /// Whether it was placed before.
    type State = bool;
    type Event = OrderEvent;

    fn apply(&self, _: bool, _: &StoredEvent<OrderEvent>) -> bool {
        true
    }

    fn handle(
        &self,
        placed: bool,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(!placed, "{} was placed before", self.order);
        let mut events = NewEvents::new();
        let (account, cents) = (self.account.clone(), self.cents);
        emit!(
            events,
            streams.order,
            OrderEvent::OrderPlaced { account, cents }
        );
        Ok(events)
    }
}

/// Ends an order as the payments service says. The message is handled in the same append.
#[derive(Debug, Command)]
struct Settle {
    #[stream]
    message: StreamId,
    #[stream]
    order: StreamId,
    outcome: OrderEvent,
}

impl CommandLogic for Settle {
    /// Whether the message was handled.
    type State = bool;
    type Event = OrderEvent;

    fn apply(&self, handled: bool, stored: &StoredEvent<OrderEvent>) -> bool {
        handled || stored.event == OrderEvent::MessageHandled {}
    }

    fn handle(
        &self,
        handled: bool,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if !handled {
            emit!(events, streams.message, OrderEvent::MessageHandled {});
            emit!(events, streams.order, self.outcome.clone());
        }
        Ok(events)
    }
}

/// The service.
#[derive(Clone)]
pub struct Orders<S>(pub S);

const OUTBOX: Outbox<OrderEvent> = Outbox {
    subscription: "to-payments",
    streams: "order-",
    message: |stored| match &stored.event {
        OrderEvent::OrderPlaced { account, cents } => Some(Message::Charge {
            order: stored.stream_id.clone(),
            account: account.clone(),
            cents: *cents,
        }),
        _ => None,
    },
};

impl<S: SubscriptionStore + Clone + 'static> Orders<S> {
    /// Places an order. Its payment follows.
    ///
    /// # Errors
    ///
    /// Like [`execute`].
    pub async fn place(&self, order: &PlaceOrder) -> Result<(), ExecuteError> {
        execute(&self.0, order).await.map(drop)
    }

    /// Tells the payments service of orders until the program ends.
    ///
    /// # Errors
    ///
    /// Like [`relay`].
    pub async fn tell<R: Receive>(&self, payments: &Wire<R>) -> Result<Infallible, HandlerError> {
        relay(&self.0, &OUTBOX, payments).await
    }
}

impl<S: SubscriptionStore + Clone + 'static> Receive for Orders<S> {
    async fn receive(&self, envelope: &Envelope) -> Result<(), HandlerError> {
        let (order, outcome) = match &envelope.message {
            Message::Charged { order } => (order.clone(), OrderEvent::OrderConfirmed {}),
            Message::Declined { order } => (order.clone(), OrderEvent::OrderCancelled {}),
            Message::Charge { .. } => return Err("orders takes no payments".into()),
        };
        let message = envelope.stream()?;
        let settle = Settle {
            message,
            order,
            outcome,
        };
        execute(&self.0, &settle).await?;
        Ok(())
    }
}
