//! The accounts of the bank, and opening them.

use eventcore::{EventStore, Position, StreamField, StreamId, execute};

use crate::account_id::AccountId;
use crate::failure::Failure;
use crate::money::Money;
use crate::open_account::OpenAccount;
use crate::split_mix::SplitMix64;

/// How many accounts there are: `001` to `200`.
pub(crate) const ACCOUNTS: u32 = 200;

/// The seed of their opening balances.
const SEED: u64 = 200;

/// An account and what it starts with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opening {
    pub(crate) account: AccountId,
    pub(crate) cents: Money,
}

/// Every account, with 100.00 to 2,000.00 each; the same at every run.
pub(crate) fn openings() -> Result<Vec<Opening>, Failure> {
    let mut random = SplitMix64::new(SEED);
    (1..=ACCOUNTS)
        .map(|number| {
            Ok(Opening {
                account: AccountId::new(&format!("{number:03}"))?,
                cents: Money::cents(random.between(10_000, 200_000).into()),
            })
        })
        .collect()
}

/// Checks that none of the accounts exists. With two runs in one database the figures would mean
/// nothing.
pub(crate) async fn must_be_new<S: EventStore>(
    store: &S,
    openings: &[Opening],
) -> Result<(), Failure> {
    let streams: Vec<StreamId> = openings
        .iter()
        .map(|opening| opening.account.stream_id().clone())
        .collect();
    let versions = store.stream_versions(&streams).await?;
    match versions.iter().position(|version| version.get() > 0) {
        None => Ok(()),
        Some(index) => Err(Failure::NotFresh(streams[index].clone())),
    }
}

/// Opens all accounts, one after the other. Returns the position of the last event.
pub(crate) async fn open<S: EventStore>(
    store: &S,
    openings: &[Opening],
) -> Result<Position, Failure> {
    let mut last = Position::START;
    for Opening { account, cents } in openings {
        let account = account.clone();
        let command = OpenAccount {
            account,
            cents: *cents,
        };
        let opened = execute(store, &command).await?;
        last = opened.last_position().unwrap_or(last);
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use eventcore::InMemoryEventStore;

    use super::*;
    use crate::open_account::AlreadyOpen;

    #[tokio::test]
    async fn a_store_with_accounts_in_it_is_refused_and_no_account_opens_twice() {
        let store = InMemoryEventStore::new();
        let openings = openings().unwrap();
        assert_eq!(openings.len(), 200);
        must_be_new(&store, &openings).await.unwrap();
        assert_eq!(open(&store, &openings).await.unwrap().get(), 200);

        let refused = must_be_new(&store, &openings).await.unwrap_err();
        assert!(matches!(refused, Failure::NotFresh(stream) if stream == "account-001"));
        let Err(Failure::Execute(error)) = open(&store, &openings).await else {
            panic!("opened twice");
        };
        let first = openings[0].account.clone();
        assert_eq!(error.rejection(), Some(&AlreadyOpen(first)));
    }
}
