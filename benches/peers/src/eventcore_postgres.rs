//! eventcore-postgres: commands that write to one or two streams, through the library's `execute`.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use eventcore::postgres::{MaxConnections, PostgresConfig, PostgresEventStore};
use eventcore::{
    Command, CommandError, CommandLogic, Event, ExecutionResponse, NewEvents, RetryPolicy,
    StreamId, execute,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::LoadArguments;
use crate::load::{self, Client, Outcome};
use crate::report::Report;

/// Must be the version in `Cargo.toml`.
const VERSION: &str = "2.1.0";

const ACCOUNTS: usize = 1000;
/// So much that no transfer is ever rejected for lack of money.
const OPENING_BALANCE: i64 = 1_000_000_000;

/// `eventcore-peers eventcore-postgres …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// A PostgreSQL database, such as `postgres://user:password@127.0.0.1:5432/name`; the library's
    /// tables are made in it
    #[arg(long)]
    url: String,
    /// What to measure
    #[arg(long)]
    work: Work,
    #[command(flatten)]
    load: LoadArguments,
}

/// What one command reads and writes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Work {
    /// One event in a new stream
    One,
    /// One event in each of two new streams
    Two,
    /// One event in each of two accounts out of 1,000, which others use too
    Transfer,
}

/// Measures the library on the given database.
///
/// # Errors
/// Any error of the library or the database but a conflict.
///
/// # Panics
/// When the library's migrations fail: it panics itself.
pub(crate) async fn measure(arguments: &Arguments) -> Result<Report> {
    let connections = NonZeroU32::new(arguments.load.clients).unwrap_or(NonZeroU32::MIN);
    let config = PostgresConfig {
        // As many as clients, so that none waits for another's.
        max_connections: MaxConnections::new(connections),
        ..PostgresConfig::default()
    };
    let store = PostgresEventStore::with_config(&arguments.url, config)
        .await
        .context("eventcore-postgres cannot connect")?;
    store.migrate().await;

    let accounts = match arguments.work {
        Work::One | Work::Two => Vec::new(),
        Work::Transfer => open_accounts(&store).await?,
    };
    let client = Executor {
        store,
        work: arguments.work,
        accounts: accounts.into(),
    };
    let clients = (0..arguments.load.clients).map(|_| client.clone());
    let tally = load::run(clients.collect(), arguments.load).await?;
    let work = format!("{:?}", arguments.work).to_lowercase();
    Ok(Report::new(
        "eventcore-postgres",
        VERSION,
        work,
        arguments.load,
        &tally,
    ))
}

/// A client; all of them share the library's pool of connections.
#[derive(Clone)]
struct Executor {
    store: PostgresEventStore,
    work: Work,
    accounts: Arc<[StreamId]>,
}

impl Client for Executor {
    async fn operate(&mut self) -> Result<Outcome> {
        let retries = RetryPolicy::new();
        let (events, executed) = match self.work {
            Work::One => {
                let command = Open {
                    account: new_stream()?,
                };
                (1, execute(&self.store, command, retries).await)
            }
            Work::Two => {
                let command = OpenTwo {
                    first: new_stream()?,
                    second: new_stream()?,
                };
                (2, execute(&self.store, command, retries).await)
            }
            Work::Transfer => {
                let (from, to) = two_of(&self.accounts);
                let command = Transfer {
                    from,
                    to,
                    cents: 70,
                };
                (2, execute(&self.store, command, retries).await)
            }
        };
        outcome(events, executed)
    }
}

/// A deposit or a withdrawal: about 110 bytes of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct MoneyMoved {
    account: StreamId,
    cents: i64,
    reference: String,
}

impl MoneyMoved {
    fn new(account: &StreamId, cents: i64) -> Self {
        Self {
            account: account.clone(),
            cents,
            reference: "invoice 2026-11-0001".to_owned(),
        }
    }
}

impl Event for MoneyMoved {
    fn stream_id(&self) -> &StreamId {
        &self.account
    }

    fn event_type_name() -> &'static str {
        "MoneyMoved"
    }
}

/// Writes to one stream.
#[derive(Command)]
struct Open {
    #[stream]
    account: StreamId,
}

impl CommandLogic for Open {
    type Event = MoneyMoved;
    type State = ();

    fn apply(&self, (): (), _: &MoneyMoved) {}

    fn handle(&self, (): ()) -> Result<NewEvents<MoneyMoved>, CommandError> {
        Ok(vec![MoneyMoved::new(&self.account, OPENING_BALANCE)].into())
    }
}

/// Writes to two streams.
#[derive(Command)]
struct OpenTwo {
    #[stream]
    first: StreamId,
    #[stream]
    second: StreamId,
}

impl CommandLogic for OpenTwo {
    type Event = MoneyMoved;
    type State = ();

    fn apply(&self, (): (), _: &MoneyMoved) {}

    fn handle(&self, (): ()) -> Result<NewEvents<MoneyMoved>, CommandError> {
        Ok(vec![
            MoneyMoved::new(&self.first, OPENING_BALANCE),
            MoneyMoved::new(&self.second, OPENING_BALANCE),
        ]
        .into())
    }
}

/// Moves money if the balance suffices.
#[derive(Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    cents: i64,
}

impl CommandLogic for Transfer {
    type Event = MoneyMoved;
    /// The balance of `from`.
    type State = i64;

    fn apply(&self, balance: i64, event: &MoneyMoved) -> i64 {
        if event.account == self.from {
            balance + event.cents
        } else {
            balance
        }
    }

    fn handle(&self, balance: i64) -> Result<NewEvents<MoneyMoved>, CommandError> {
        if balance < self.cents {
            return Err(format!("only {balance} cents left in {}", self.from).into());
        }
        Ok(vec![
            MoneyMoved::new(&self.from, -self.cents),
            MoneyMoved::new(&self.to, self.cents),
        ]
        .into())
    }
}

/// A conflict that outlasts the library's retries is counted; any other error ends the measurement.
fn outcome(events: u64, executed: Result<ExecutionResponse, CommandError>) -> Result<Outcome> {
    match executed {
        Ok(response) => Ok(Outcome::Done {
            events,
            conflicts: (response.attempts() - 1).into(),
        }),
        Err(CommandError::ConcurrencyError(retries)) => Ok(Outcome::GivenUp {
            conflicts: u64::from(retries) + 1,
        }),
        Err(error) => Err(error).context("eventcore-postgres cannot execute a command"),
    }
}

/// New accounts for this measurement only, so that none has a history.
async fn open_accounts(store: &PostgresEventStore) -> Result<Vec<StreamId>> {
    let mut accounts = Vec::with_capacity(ACCOUNTS);
    for _ in 0..ACCOUNTS {
        let account = new_stream()?;
        let command = Open {
            account: account.clone(),
        };
        execute(store, command, RetryPolicy::new())
            .await
            .context("eventcore-postgres cannot open an account")?;
        accounts.push(account);
    }
    Ok(accounts)
}

/// Two different accounts.
fn two_of(accounts: &[StreamId]) -> (StreamId, StreamId) {
    let from = fastrand::usize(..accounts.len());
    let to = (from + fastrand::usize(1..accounts.len())) % accounts.len();
    (accounts[from].clone(), accounts[to].clone())
}

fn new_stream() -> Result<StreamId> {
    StreamId::try_new(format!("s-{}", Uuid::new_v4())).context("no name for a stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_crate() {
        let pinned = format!("eventcore = {{ version = \"={VERSION}\"");
        let manifest = include_str!("../Cargo.toml");
        assert!(manifest.lines().any(|line| line.starts_with(&pinned)));
    }

    #[test]
    fn a_transfer_is_between_two_accounts() {
        let accounts = [new_stream().unwrap(), new_stream().unwrap()];
        for _ in 0..100 {
            let (from, to) = two_of(&accounts);
            assert_ne!(from, to);
        }
    }
}
