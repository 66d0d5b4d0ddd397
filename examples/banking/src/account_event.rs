//! [`AccountEvent`]: what can happen to an account.

use eventcore::Event;
use serde::{Deserialize, Serialize};

use crate::account_id::AccountId;
use crate::money::Money;

/// What can happen to an account. A transfer is a withdrawal in one stream and a deposit in
/// another, both written or neither.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum AccountEvent {
    /// The account exists from now on, with this much in it.
    AccountOpened { cents: Money },
    /// A transfer took money out. `transfer` is its line in the file.
    MoneyWithdrawn {
        transfer: u32,
        to: AccountId,
        cents: Money,
    },
    /// A transfer brought money in. `transfer` is its line in the file.
    MoneyDeposited {
        transfer: u32,
        from: AccountId,
        cents: Money,
    },
}

impl AccountEvent {
    /// What the event adds to the balance.
    pub(crate) fn change(&self) -> Money {
        match self {
            Self::AccountOpened { cents } | Self::MoneyDeposited { cents, .. } => *cents,
            Self::MoneyWithdrawn { cents, .. } => -*cents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_names_accounts_by_their_streams_and_amounts_in_cents() {
        let event = AccountEvent::MoneyWithdrawn {
            transfer: 2,
            to: AccountId::new("017").unwrap(),
            cents: Money::cents(250),
        };
        let payload = event.encode().unwrap();
        assert_eq!(
            payload.as_str(),
            r#"{"transfer":2,"to":"account-017","cents":250}"#
        );
        let decoded = AccountEvent::decode("MoneyWithdrawn", &payload).unwrap();
        assert_eq!((decoded.change(), decoded), (Money::cents(-250), event));
    }
}
