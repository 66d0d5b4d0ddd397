//! The banking example with its commands in PL/pgSQL: each driver executes the same list of
//! transfers in eight concurrent sessions, and must end with the balances of the run in Rust, to
//! the cent. They are in `expected.txt`, which a test of the example compares with a run of its
//! commands in Rust.

use eventcore_harness::shared;
use serde_json::json;

use super::{Folder, output};
use crate::support::{connect, failure, value};

pub(super) const EXAMPLE: &str = "examples/banking/sql";
const BANK: &str = include_str!("../../../examples/banking/sql/bank.sql");
pub(super) const EXPECTED: &str = include_str!("../../../examples/banking/sql/expected.txt");

/// A database with the bank's commands; its name.
pub(super) fn bank(name: &str) -> String {
    let database = format!("drivers_bank_{name}");
    shared().create_database(&database).unwrap();
    shared().psql(&database, BANK).unwrap();
    database
}

#[test]
fn psql_ends_with_the_balances_of_the_run_in_rust() {
    let folder = Folder::new("psql");
    folder.copy(EXAMPLE);
    let mut run = folder.command("/bin/sh", &bank("psql"));
    assert_eq!(output(run.arg(folder.path("run.sh"))), EXPECTED);
}

#[tokio::test]
async fn a_deposit_is_for_an_account_that_is_open_and_of_whole_cents() {
    let client = connect(&shared().url(&bank("deposit"))).await;
    let execute = async |command: &str, input| {
        let sql = "SELECT FROM eventcore_execute($1, $2)";
        client.execute(sql, &[&command, &input]).await
    };
    let of = |cents| json!({"account": "account-001", "cents": cents});
    let rejected = async |command, input, code: &str, message: &str| {
        let failure = failure(execute(command, input).await);
        assert_eq!(failure.assert_ours("SE006")["sqlstate"], code);
        assert_eq!(failure.message, message);
    };
    let nobody = "there is no account-001";
    rejected("deposit", of(1.into()), "BK001", nobody).await;
    execute("open_account", of(json!(100))).await.unwrap();
    let again = "account-001 is open already";
    rejected("open_account", of(1.into()), "BK004", again).await;
    execute("deposit", of(json!(123_456))).await.unwrap();
    let half = "0.5 is no amount in whole cents";
    rejected("deposit", of(json!(0.5)), "BK003", half).await;
    let transfer =
        json!({"from": "account-001", "to": "account-002", "cents": 200_000, "transfer": 1});
    let nobody = "there is no account-002";
    rejected("transfer_money", transfer.clone(), "BK001", nobody).await;
    let open = json!({"account": "account-002", "cents": 1});
    execute("open_account", open).await.unwrap();
    let too_much = "account-001 holds 1,235.56, which is less than 2,000.00";
    rejected("transfer_money", transfer, "BK002", too_much).await;
    let sum = "SELECT sum(cents)::bigint FROM bank.balances";
    assert_eq!(value::<i64>(&client, sum).await, 123_557);
}
