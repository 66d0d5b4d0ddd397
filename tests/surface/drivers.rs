//! The banking example with its commands in PL/pgSQL, by psql, by Python and by Node: each executes the same list of
//! transfers by eight sessions at once, and ends as the run in Rust does, to the cent. What that is, is in
//! `expected.txt`, which a test of the example compares to a run of its commands in Rust.
//!
//! The drivers come from PyPI and from npm, into a folder that is deleted afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::{env, fs};

use eventcore_harness::{Binaries, shared};
use serde_json::json;

use crate::support::{connect, failure, value};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/banking/sql");
const BANK: &str = include_str!("../../examples/banking/sql/bank.sql");
const EXPECTED: &str = include_str!("../../examples/banking/sql/expected.txt");

/// A copy of the example, deleted at the end of the test, and a database with the bank's commands.
struct Example {
    folder: PathBuf,
    database: String,
}

impl Example {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("eventcore-drivers-{}-{name}", id()));
        let database = format!("drivers_{name}");
        let example = Self { folder, database };
        fs::create_dir(&example.folder).unwrap();
        for file in fs::read_dir(EXAMPLE).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), example.folder.join(file.file_name())).unwrap();
        }
        shared().create_database(&example.database).unwrap();
        shared().psql(&example.database, BANK).unwrap();
        example
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// A command that finds the database by what every driver looks at, and `psql` on its path.
    fn command(&self, program: &Path) -> Command {
        let mut command = shared().command(program.to_str().unwrap());
        let binaries = Binaries::from_env().unwrap();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = [binaries.folder().to_owned()]
            .into_iter()
            .chain(env::split_paths(&path));
        command
            .env("PATH", env::join_paths(path).unwrap())
            .env("PGDATABASE", &self.database)
            .current_dir(&self.folder);
        command
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The output of a command that succeeds.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    out
}

/// Where a program is, or how to get it.
#[track_caller]
fn program(name: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "{name} is not on the path: run `cargo xtask test`, which installs it, or \
             `apt-get install {package}`"
        )
    })
}

#[test]
fn psql_ends_with_the_balances_of_the_run_in_rust() {
    let example = Example::new("psql");
    let script = example.path("run.sh");
    let result = output(example.command(Path::new("/bin/sh")).arg(script));
    assert_eq!(result, EXPECTED);
}

#[test]
fn psycopg_ends_with_the_balances_of_the_run_in_rust() {
    let python = program("python3", "python3-venv");
    let example = Example::new("python");
    let python = example
        .command(&python)
        .args(["-m", "venv", "venv"])
        .output();
    let made = python.unwrap();
    assert!(
        made.status.success(),
        "Python makes no virtual environment: `apt-get install python3-venv`\n{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let mut pip = example.command(&example.path("venv/bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "psycopg[binary]>=3.2,<4"]);
    output(&mut pip);
    let mut script = example.command(&example.path("venv/bin/python"));
    let result = output(script.arg(example.path("run.py")));
    assert_eq!(result, EXPECTED);
}

#[test]
fn node_postgres_ends_with_the_balances_of_the_run_in_rust() {
    let (node, npm) = (program("node", "nodejs"), program("npm", "npm"));
    let example = Example::new("node");
    let mut install = example.command(&npm);
    install.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "pg@8",
    ]);
    output(&mut install);
    let result = output(example.command(&node).arg(example.path("run.mjs")));
    assert_eq!(result, EXPECTED);
}

#[tokio::test]
async fn a_deposit_is_for_an_account_that_is_open_and_of_whole_cents() {
    let example = Example::new("deposit");
    let client = connect(&shared().url(&example.database)).await;
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
