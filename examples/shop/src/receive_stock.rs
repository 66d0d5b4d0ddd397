//! [`ReceiveStock`]: a command on one stream, without a rule.

use eventcore::{Command, CommandError, CommandLogic, NewEvents, StoredEvent, Streams, emit};

use crate::events::ShopEvent;
use crate::ids::ProductId;

/// Puts pieces of a product into stock.
#[derive(Debug, Command)]
pub struct ReceiveStock {
    /// The product.
    #[stream]
    pub product: ProductId,
    /// How many pieces.
    pub pieces: u32,
}

impl CommandLogic for ReceiveStock {
    type State = ();
    type Event = ShopEvent;

    fn apply(&self, (): (), _: &StoredEvent<ShopEvent>) {}

    fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let pieces = self.pieces;
        emit!(events, streams.product, ShopEvent::StockReceived { pieces });
        Ok(events)
    }
}
