//! Two commands on accounts.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, StoredEvent, StreamId, Streams, emit,
    require,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{missing} cents too few")]
pub(crate) struct TooFew {
    pub(crate) missing: u64,
}

#[derive(Command)]
pub(crate) struct Deposit {
    #[stream]
    pub(crate) account: StreamId,
    pub(crate) cents: u64,
}

#[derive(Command)]
pub(crate) struct Transfer {
    #[stream]
    pub(crate) from: StreamId,
    #[stream]
    pub(crate) to: StreamId,
    pub(crate) cents: u64,
}

impl CommandLogic for Deposit {
    type State = ();
    type Event = AccountEvent;

    fn apply(&self, _: (), _: &StoredEvent<AccountEvent>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        if self.cents > 0 {
            emit!(
                events,
                streams.account,
                AccountEvent::Deposited { cents: self.cents }
            );
        }
        Ok(events)
    }
}

impl CommandLogic for Transfer {
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
        match stored.event {
            _ if stored.stream_id != self.from => balance,
            AccountEvent::Deposited { cents } => balance + cents,
            AccountEvent::Withdrawn { cents } => balance - cents,
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(self.cents > 0, "a transfer of {} cents", self.cents);
        require!(
            self.cents <= balance,
            TooFew {
                missing: self.cents - balance
            }
        );
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.from,
            AccountEvent::Withdrawn { cents: self.cents }
        );
        emit!(
            events,
            streams.to,
            AccountEvent::Deposited { cents: self.cents }
        );
        Ok(events)
    }
}
