//! [`ReceiveStock`]: pieces of a product arrive.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, Streams, emit,
};

use crate::domain::{ProductId, ProductName, Quantity, ShopEvent, StockEvent};

/// Pieces of a product arrive. Whatever there was before, there are more.
#[derive(Debug, Clone, Command)]
pub struct ReceiveStock {
    #[stream]
    product: StreamId,
    product_name: ProductName,
    quantity: Quantity,
}

impl ReceiveStock {
    /// So many pieces.
    pub fn new(product: &ProductId, product_name: ProductName, quantity: Quantity) -> Self {
        Self {
            product: product.stream(),
            product_name,
            quantity,
        }
    }
}

impl CommandLogic for ReceiveStock {
    type State = ();
    type Event = ShopEvent;

    fn apply(&self, (): (), _: &StoredEvent<ShopEvent>) {}

    fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let received = StockEvent::StockReceived {
            product_name: self.product_name.clone(),
            quantity: self.quantity,
        };
        emit!(events, streams.product, received.into());
        Ok(events)
    }
}
