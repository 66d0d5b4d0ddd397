//! Moves money between accounts, atomically, with concurrent workers and a subscriber that watches;
//! then audits every cent and every event. See README.md.

// The bank: its accounts, their events, its commands.
mod account_event;
mod account_id;
mod money;
mod open_account;
mod transfer_money;

// A run: the file, the accounts, the workers, the subscriber, one after the other.
mod bank;
mod history;
mod openings;
mod outcome;
mod progress;
mod subscriber;
mod transfer_file;
mod workers;

// The results.
mod audit;
mod ledger;
mod report;
#[cfg(test)]
mod same_in_sql;
mod samples;
mod speed;

// The program itself.
mod arguments;
mod failure;
mod generate;
mod split_mix;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use arguments::{Arguments, Store};
use clap::Parser;
use eventcore::InMemoryEventStore;
use failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("banking: {}", text::with_sources(&failure));
            failure.exit_code()
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    if let Some(seed) = arguments.generate {
        read_or_not(out.write_all(generate::transfers(seed).as_bytes()))?;
        return Ok(ExitCode::SUCCESS);
    }

    let lines = transfer_file::parse(&arguments.transfers()?)?;
    let (store, workers) = (arguments.store()?, arguments.workers);
    if arguments.check {
        return Ok(ExitCode::SUCCESS);
    }
    let transfers = text::count(lines.len());
    let accounts = openings::ACCOUNTS;
    read_or_not(writeln!(
        out,
        "{transfers} transfers between {accounts} accounts, {workers} workers, {store}"
    ))?;

    let audited = match &store {
        Store::Memory => bank::run(&InMemoryEventStore::new(), lines, workers).await?,
        #[cfg(feature = "postgres")]
        Store::Postgres(url) => {
            // One more connection for the subscriber's reads.
            let builder = eventcore::PostgresEventStore::builder(url)?;
            let store = builder.pool_size(workers.get() + 1).connect().await?;
            bank::run(&store, lines, workers).await?
        }
        #[cfg(not(feature = "postgres"))]
        Store::Postgres(_) => return Err(Failure::NoPostgres),
    };
    read_or_not(write!(out, "{}", audited.report))?;
    if store != Store::Memory {
        let samples = samples::text(arguments.psql_hint.as_deref());
        read_or_not(write!(out, "{samples}"))?;
    }
    if audited.violated.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for invariant in audited.violated {
        eprintln!("banking: this does not hold: {invariant}");
    }
    Ok(ExitCode::FAILURE)
}

/// The result of writing the report. A closed pipe is not an error, as after `| head -1`: the exit
/// code tells whether the invariants hold.
fn read_or_not(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
