//! The events of a shop, and the one command that writes them.

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
    require,
};
use serde::{Deserialize, Serialize};

/// The price of an order.
pub(crate) const CENTS: u64 = 7;

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(crate) enum Fact {
    Placed {
        item: u64,
        account: u64,
        by_invoice: bool,
    },
    Reserved {
        order: String,
    },
    Released {
        order: String,
    },
    Deposited {
        cents: u64,
    },
    Charged {
        order: String,
        cents: u64,
    },
    Shipped,
    Cancelled,
}

/// Appends an event to a stream. An account is charged only if its balance suffices.
#[derive(Command)]
pub(crate) struct Note {
    #[stream]
    pub(crate) stream: StreamId,
    pub(crate) fact: Fact,
}

impl CommandLogic for Note {
    /// The balance of the account.
    type State = u64;
    type Event = Fact;

    fn apply(&self, balance: u64, stored: &StoredEvent<Fact>) -> u64 {
        match stored.event {
            Fact::Deposited { cents } => balance + cents,
            Fact::Charged { cents, .. } => balance.saturating_sub(cents),
            _ => balance,
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        if let Fact::Charged { cents, .. } = self.fact {
            require!(cents <= balance, "there are only {balance} cents");
        }
        let mut events = NewEvents::new();
        emit!(events, streams.stream, self.fact.clone());
        Ok(events)
    }
}

pub(crate) fn item(number: u64) -> StreamId {
    StreamId::new(format!("item-{number}")).unwrap()
}

pub(crate) fn account(number: u64) -> StreamId {
    StreamId::new(format!("account-{number}")).unwrap()
}
