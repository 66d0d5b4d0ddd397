//! [`StartFulfilment`]: submits an order, if that has not been done, and starts its fulfilment.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamVersion, Streams,
    emit,
};

use super::{Known, Request};
use crate::domain::{
    FulfilmentEvent, FulfilmentState, OrderCommand, OrderError, OrderId, OrderState, ShopEvent,
};

/// Starts the fulfilment of an order. The process manager does the rest.
#[derive(Debug, Clone, Command)]
pub struct StartFulfilment {
    #[stream]
    order: StreamId,
    #[stream]
    fulfilment: StreamId,
    #[stream]
    request: Option<Request>,
    if_match: Option<StreamVersion>,
}

impl StartFulfilment {
    /// Of this order.
    pub fn new(order: OrderId) -> Self {
        Self {
            order: order.stream(),
            fulfilment: order.fulfilment(),
            request: None,
            if_match: None,
        }
    }

    /// Starts it once for this request.
    #[must_use]
    pub fn once_for(mut self, request: Option<Request>) -> Self {
        self.request = request;
        self
    }

    /// Starts it only if the order is at this version.
    #[must_use]
    pub fn if_match(mut self, version: Option<StreamVersion>) -> Self {
        self.if_match = version;
        self
    }
}

impl CommandLogic for StartFulfilment {
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
        for event in submit(&known).map_err(CommandError::rejected)? {
            emit!(events, streams.order, event.into());
        }
        emit!(
            events,
            streams.fulfilment,
            FulfilmentEvent::FulfilmentStarted.into()
        );
        Ok(events)
    }
}

/// What happens to the order itself: it is submitted, unless it was.
fn submit(known: &Known) -> Result<Vec<crate::domain::OrderEvent>, OrderError> {
    let order = known.order()?;
    if order.state != OrderState::Draft {
        return Err(OrderError::NotReady(order.state));
    }
    if known.fulfilment.state != FulfilmentState::NotStarted {
        let (state, action) = ("being fulfilled", "fulfilled again");
        return Err(OrderError::InvalidState { state, action });
    }
    match order.submitted {
        true => Ok(Vec::new()),
        false => OrderCommand::decide_all(&[OrderCommand::SubmitOrder], known.order.clone()),
    }
}
