//! [`TransferMoney`]: a command on two streams.

use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamField, Streams, emit,
    require,
};
use serde::Serialize;

use crate::account_event::AccountEvent;
use crate::account_id::AccountId;
use crate::money::Money;

/// Moves money from one account to another, if there is enough. Both streams are checked when the
/// events are written. If either has changed since it was read, the command decides again.
#[derive(Debug, Clone, PartialEq, Serialize, Command)]
pub(crate) struct TransferMoney {
    #[stream]
    pub(crate) from: AccountId,
    #[stream]
    pub(crate) to: AccountId,
    /// Above zero.
    pub(crate) cents: Money,
    /// The line of the file.
    pub(crate) transfer: u32,
}

/// Why a transfer is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransferRejected {
    #[error("there is no {0}")]
    UnknownAccount(AccountId),
    #[error("{from} holds {balance}, which is less than {cents}")]
    Overdraft {
        from: AccountId,
        balance: Money,
        cents: Money,
    },
}

/// The balances of the two accounts, as far as they exist.
#[derive(Debug, Default)]
pub(crate) struct Balances {
    from: Option<Money>,
    to: Option<Money>,
}

impl CommandLogic for TransferMoney {
    type State = Balances;
    type Event = AccountEvent;

    fn apply(&self, mut balances: Balances, stored: &StoredEvent<AccountEvent>) -> Balances {
        let balance = if stored.stream_id == *self.from.stream_id() {
            &mut balances.from
        } else {
            &mut balances.to
        };
        *balance = Some(balance.unwrap_or_default() + stored.event.change());
        balances
    }

    fn handle(
        &self,
        balances: Balances,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let Some(balance) = balances.from else {
            return Err(unknown(&self.from));
        };
        require!(
            balances.to.is_some(),
            TransferRejected::UnknownAccount(self.to.clone())
        );
        require!(
            self.cents <= balance,
            TransferRejected::Overdraft {
                from: self.from.clone(),
                balance,
                cents: self.cents
            }
        );

        let mut events = NewEvents::new();
        emit!(
            events,
            streams.from,
            AccountEvent::MoneyWithdrawn {
                transfer: self.transfer,
                to: self.to.clone(),
                cents: self.cents
            }
        );
        emit!(
            events,
            streams.to,
            AccountEvent::MoneyDeposited {
                transfer: self.transfer,
                from: self.from.clone(),
                cents: self.cents
            }
        );
        Ok(events)
    }
}

fn unknown(account: &AccountId) -> CommandError {
    CommandError::rejected(TransferRejected::UnknownAccount(account.clone()))
}
