//! [`ReceiveStock`]: pieces of a product arrive.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, StreamResolver, Streams,
    emit,
};

use super::Known;
use crate::domain::{ProductId, ProductName, Quantity, ShopEvent, StockEvent};

/// Pieces of a product arrive. Whatever there was before, there are more.
#[derive(Debug, Clone, Command)]
pub struct ReceiveStock {
    #[stream]
    first_book: StreamId,
    product: ProductId,
    product_name: ProductName,
    quantity: Quantity,
}

impl ReceiveStock {
    /// So many pieces.
    pub fn new(product: &ProductId, product_name: ProductName, quantity: Quantity) -> Self {
        Self {
            first_book: product.first_book(),
            product: product.clone(),
            product_name,
            quantity,
        }
    }
}

impl CommandLogic for ReceiveStock {
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
        let received = StockEvent::StockReceived {
            product_name: self.product_name.clone(),
            quantity: self.quantity,
        };
        let book = self.product.book(known.product(&self.product).book);
        if book == self.first_book {
            emit!(events, streams.first_book, received.into());
        } else {
            emit!(events, streams.discovered(&book)?, received.into());
        }
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Known>> {
        Some(self)
    }
}

impl StreamResolver<Known> for ReceiveStock {
    fn discover_related_streams(&self, known: &Known) -> Vec<StreamId> {
        known.product(&self.product).books(&self.product)
    }
}
