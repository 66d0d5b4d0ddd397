//! Two commands on accounts, for the tests that execute commands.

use eventcore::{
    Command, CommandError, CommandLogic, Event, EventStore, NewEvents, StoredEvent, StreamId,
    Streams, emit, require,
};
use serde::{Deserialize, Serialize};

use super::read;

/// What happens to an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub enum AccountEvent {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

/// Puts money into an account.
#[derive(Debug, Command)]
pub struct Deposit {
    #[stream]
    pub account: StreamId,
    pub cents: u64,
}

/// Takes money from one account to another, if there is enough.
#[derive(Debug, Command)]
pub struct Transfer {
    #[stream]
    pub from: StreamId,
    #[stream]
    pub to: StreamId,
    pub cents: u64,
}

impl CommandLogic for Deposit {
    type State = ();
    type Event = AccountEvent;

    fn apply(&self, (): (), _: &StoredEvent<AccountEvent>) {}

    fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let cents = self.cents;
        emit!(events, streams.account, AccountEvent::Deposited { cents });
        Ok(events)
    }
}

impl CommandLogic for Transfer {
    /// The balance of the account `from`.
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
        if stored.stream_id == self.from {
            after(balance, &stored.event)
        } else {
            balance
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let cents = self.cents;
        require!(cents <= balance, "{cents} cents are more than {balance}");
        let mut events = NewEvents::new();
        emit!(events, streams.from, AccountEvent::Withdrawn { cents });
        emit!(events, streams.to, AccountEvent::Deposited { cents });
        Ok(events)
    }
}

/// The balance of an account, computed from its events.
pub async fn balance(store: &impl EventStore, account: &str) -> u64 {
    let events = read(store, account).await;
    let events = events
        .into_iter()
        .map(|event| event.decode().unwrap().event);
    events.fold(0, |balance, event| after(balance, &event))
}

fn after(balance: u64, event: &AccountEvent) -> u64 {
    match event {
        AccountEvent::Deposited { cents } => balance + cents,
        AccountEvent::Withdrawn { cents } => balance.checked_sub(*cents).expect("never below 0"),
    }
}
