//! The SQL files in `sql/` must give the same results as the commands in Rust. A test with a server
//! runs the scripts; this module makes sure that the expected results are right.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use eventcore::InMemoryEventStore;

use crate::history::{Entry, read_all_streams};
use crate::ledger::Ledger;
use crate::money::Money;
use crate::openings::{Opening, open, openings};
use crate::outcome::Reason;
use crate::transfer_file::{Line, parse};
use crate::workers;

const OPENINGS: &str = include_str!("../sql/openings.csv");
const TRANSFERS: &str = include_str!("../sql/transfers.csv");
/// What each script prints.
const EXPECTED: &str = include_str!("../sql/expected.txt");

/// The first accounts of the example.
fn accounts() -> Vec<Opening> {
    let mut accounts = openings().unwrap();
    accounts.truncate(OPENINGS.lines().count() - 1);
    accounts
}

fn cents(money: Money) -> String {
    money.to_string().replace([',', '.'], "")
}

/// The code by which a rejection is known in SQL.
fn code(reason: Reason) -> &'static str {
    match reason {
        Reason::UnknownAccount => "BK001",
        Reason::Overdraft => "BK002",
        Reason::Malformed(_) => "BK003",
    }
}

#[test]
fn the_accounts_of_the_scripts_are_the_first_of_the_example() {
    let mut file = "account,cents\n".to_owned();
    for Opening { account, cents: of } in accounts() {
        let account = account.to_string().replace("account-", "");
        writeln!(file, "{account},{}", cents(of).trim_start_matches('0')).unwrap();
    }
    assert_eq!(OPENINGS, file);
}

#[test]
fn no_order_of_the_transfers_of_the_scripts_makes_one_more_or_less_an_overdraft() {
    let accounts = accounts();
    let total: Money = accounts.iter().map(|opening| opening.cents).sum();
    for opening in &accounts {
        let lines = parse(TRANSFERS).unwrap();
        let transfers = lines.into_iter().flat_map(|line| line.content);
        let from_here = transfers.filter(|transfer| transfer.from == opening.account);
        let possible = from_here.filter(|transfer| transfer.cents <= total);
        let sum: Money = possible.map(|transfer| transfer.cents).sum();
        assert!(sum <= opening.cents, "{} spends {sum}", opening.account);
    }
}

#[tokio::test]
async fn the_run_in_rust_ends_as_the_scripts_are_expected_to() {
    let store = InMemoryEventStore::new();
    let accounts = accounts();
    open(&store, &accounts).await.unwrap();
    let lines: Arc<[Line]> = parse(TRANSFERS).unwrap().into();
    let run = workers::run(&store, &lines, 8).await.unwrap();

    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for outcome in &run.outcomes {
        let name = outcome.result.map_or_else(code, |_| "accepted");
        *outcomes.entry(name).or_default() += 1;
    }
    let stored: Vec<Entry> = read_all_streams(&store, &accounts).await.unwrap();
    let ledger = Ledger::of(&stored);
    let mut result = String::new();
    for (outcome, count) in outcomes {
        writeln!(result, "{outcome} {count}").unwrap();
    }
    for Opening { account, .. } in &accounts {
        let balance = ledger.balance(eventcore::StreamField::stream_id(account));
        writeln!(result, "{account} {}", cents(balance.unwrap())).unwrap();
    }
    assert_eq!(result, EXPECTED);
}
