//! [`Ledger`]: the balance of every account, recomputed from events.

use std::collections::BTreeMap;

use eventcore::StreamId;

use crate::history::Entry;
use crate::money::Money;

/// The balance of every account that has an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Ledger {
    accounts: BTreeMap<StreamId, Account>,
}

/// An account, computed from its events.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Account {
    pub(crate) balance: Money,
    /// The lowest balance that it ever had.
    pub(crate) lowest: Money,
}

impl Ledger {
    /// The result of these events, applied in this order.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut accounts = BTreeMap::new();
        for Entry { stream, event, .. } in entries {
            let change = event.change();
            accounts
                .entry(stream.clone())
                .and_modify(|account: &mut Account| account.add(change))
                .or_insert(Account {
                    balance: change,
                    lowest: change,
                });
        }
        Self { accounts }
    }

    /// Each account, by name.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&StreamId, &Account)> {
        self.accounts.iter()
    }

    /// The sum of all balances.
    pub(crate) fn total(&self) -> Money {
        self.accounts.values().map(|account| account.balance).sum()
    }

    /// The account that had the lowest balance at any time.
    pub(crate) fn lowest(&self) -> Option<(&StreamId, Money)> {
        self.accounts()
            .map(|(stream, account)| (stream, account.lowest))
            .min_by_key(|(_, lowest)| *lowest)
    }

    /// The balance of an account; `None` if it has no event.
    pub(crate) fn balance(&self, stream: &StreamId) -> Option<Money> {
        self.accounts.get(stream).map(|account| account.balance)
    }
}

impl Account {
    fn add(&mut self, change: Money) {
        self.balance = self.balance + change;
        self.lowest = self.lowest.min(self.balance);
    }
}
