//! [`GiveUp`]: the end of a fulfilment that failed.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, Streams, emit,
};

use crate::commands::Known;
use crate::domain::{FulfilmentEvent, OrderCommand, OrderId, Reason, ShopEvent};

/// Cancels an order whose fulfilment failed, unless it is cancelled already.
#[derive(Debug, Clone, Command)]
pub struct GiveUp {
    #[stream]
    order: StreamId,
    #[stream]
    fulfilment: StreamId,
    reason: String,
}

impl GiveUp {
    /// This order, for this reason.
    pub fn new(id: OrderId, reason: &str) -> Self {
        Self {
            order: id.stream(),
            fulfilment: id.fulfilment(),
            reason: reason.to_owned(),
        }
    }
}

impl CommandLogic for GiveUp {
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
        if known.fulfilment.state.has_ended() {
            return Ok(events);
        }
        if known
            .order
            .as_ref()
            .is_some_and(|order| order.state.is_active())
        {
            let cancel = OrderCommand::CancelOrder {
                reason: fitting(&format!("Saga failed: {}", self.reason))?,
                cancelled_by: Some(fitting("saga_coordinator")?),
            };
            let decided = OrderCommand::decide_all(&[cancel], known.order);
            for event in decided.map_err(CommandError::rejected)? {
                emit!(events, streams.order, event.into());
            }
        }
        let failed = FulfilmentEvent::FulfilmentFailed {
            reason: self.reason.clone(),
        };
        emit!(events, streams.fulfilment, failed.into());
        Ok(events)
    }
}

/// A text of a partner as a reason: shortened, and without control characters.
fn fitting(text: &str) -> Result<Reason, CommandError> {
    let mut short = String::new();
    for char in text.chars().filter(|char| !char.is_control()) {
        if short.len() + char.len_utf8() > Reason::MAX {
            break;
        }
        short.push(char);
    }
    Reason::new(short).map_err(CommandError::failed)
}
