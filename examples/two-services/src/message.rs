//! [`Message`]: what services say to one another.

use eventcore::{EventId, InvalidValue, StreamId};
use serde::{Deserialize, Serialize};

/// What one service tells the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// Orders to payments: take this from the account.
    Charge {
        /// The order that it is for.
        order: StreamId,
        /// The account that pays.
        account: StreamId,
        /// How much.
        cents: u64,
    },
    /// Payments to orders: it was taken.
    Charged {
        /// The order.
        order: StreamId,
    },
    /// Payments to orders: it was not taken.
    Declined {
        /// The order.
        order: StreamId,
    },
}

/// A message with its id: that of the event which says it. However often it is sent, the id is the
/// same, and by the id the receiver knows what it has handled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The id of the event.
    pub id: EventId,
    /// What it says.
    pub message: Message,
}

impl Envelope {
    /// The receiver's stream for this message: it has an event when the message is handled.
    ///
    /// # Errors
    ///
    /// None: the name is short.
    pub fn stream(&self) -> Result<StreamId, InvalidValue> {
        StreamId::new(format!("message-{}", self.id))
    }
}
