//! [`ChangeOrder`]: carries out commands on one order, all in one append.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamVersion, Streams,
    emit,
};

use super::{Known, Request};
use crate::domain::{OrderCommand, OrderId, ShopEvent};

/// Carries out commands on one order: all of them in one append, or none. A new order with its items
/// is one such list, so there is never half an order.
#[derive(Debug, Clone, Command)]
pub struct ChangeOrder {
    #[stream]
    order: StreamId,
    #[stream]
    request: Option<Request>,
    if_match: Option<StreamVersion>,
    commands: Vec<OrderCommand>,
}

impl ChangeOrder {
    /// These commands, one after the other.
    pub fn new(order: OrderId, commands: impl IntoIterator<Item = OrderCommand>) -> Self {
        Self {
            order: order.stream(),
            request: None,
            if_match: None,
            commands: commands.into_iter().collect(),
        }
    }

    /// Carries them out once for this request.
    #[must_use]
    pub fn once_for(mut self, request: Option<Request>) -> Self {
        self.request = request;
        self
    }

    /// Carries them out only if the order is at this version.
    #[must_use]
    pub fn if_match(mut self, version: Option<StreamVersion>) -> Self {
        self.if_match = version;
        self
    }
}

impl CommandLogic for ChangeOrder {
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
        if let (Some(request), Some(stream)) = (&self.request, &streams.request) {
            if request
                .was_handled(&known)
                .map_err(CommandError::rejected)?
            {
                return Ok(events);
            }
            emit!(events, stream, request.handled().into());
        }
        known
            .must_match(self.if_match)
            .map_err(CommandError::rejected)?;
        let decided = OrderCommand::decide_all(&self.commands, known.order);
        for event in decided.map_err(CommandError::rejected)? {
            emit!(events, streams.order, event.into());
        }
        Ok(events)
    }
}
