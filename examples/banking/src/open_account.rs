//! [`OpenAccount`]: a command on one stream.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, Streams, emit, require,
};
use serde::Serialize;

use crate::account_event::AccountEvent;
use crate::account_id::AccountId;
use crate::money::Money;

/// Opens an account with this much in it.
#[derive(Debug, Serialize, Command)]
pub(crate) struct OpenAccount {
    #[stream]
    pub(crate) account: AccountId,
    pub(crate) cents: Money,
}

/// The account was opened before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is open already")]
pub(crate) struct AlreadyOpen(pub(crate) AccountId);

/// Whether the account is open.
#[derive(Debug, Default)]
pub(crate) struct IsOpen(bool);

impl CommandLogic for OpenAccount {
    type State = IsOpen;
    type Event = AccountEvent;

    fn apply(&self, _: IsOpen, _: &StoredEvent<AccountEvent>) -> IsOpen {
        IsOpen(true)
    }

    fn handle(
        &self,
        IsOpen(open): IsOpen,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(!open, AlreadyOpen(self.account.clone()));
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.account,
            AccountEvent::AccountOpened { cents: self.cents }
        );
        Ok(events)
    }
}
