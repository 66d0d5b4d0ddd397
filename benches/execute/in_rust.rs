//! The transfer as a command of the client, on the same streams with the same events.

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
    require,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    MoneyWithdrawn { to: StreamId, cents: i64 },
    MoneyDeposited { from: StreamId, cents: i64 },
}

#[derive(Command)]
pub(crate) struct TransferMoney {
    #[stream]
    pub(crate) from: StreamId,
    #[stream]
    pub(crate) to: StreamId,
    pub(crate) cents: i64,
}

#[derive(Default)]
pub(crate) struct Balances {
    from: i64,
    to: i64,
}

impl CommandLogic for TransferMoney {
    type State = Balances;
    type Event = AccountEvent;

    fn apply(&self, mut balances: Balances, stored: &StoredEvent<AccountEvent>) -> Balances {
        let change = match stored.event {
            AccountEvent::MoneyWithdrawn { cents, .. } => -cents,
            AccountEvent::MoneyDeposited { cents, .. } => cents,
        };
        if stored.stream_id == self.from {
            balances.from += change;
        } else {
            balances.to += change;
        }
        balances
    }

    fn handle(
        &self,
        balances: Balances,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(
            balances.from + 1_000_000 >= self.cents,
            "{} holds {}, which is less than {}",
            self.from,
            balances.from,
            self.cents
        );
        let mut events = NewEvents::new();
        let (to, from, cents) = (self.to.clone(), self.from.clone(), self.cents);
        emit!(
            events,
            streams.from,
            AccountEvent::MoneyWithdrawn { to, cents }
        );
        emit!(
            events,
            streams.to,
            AccountEvent::MoneyDeposited { from, cents }
        );
        Ok(events)
    }
}
