//! Commands inside the database: a transfer with `eventcore_execute_compact` against the client's
//! `execute`, against a function that updates two rows without events, and against one that retries
//! instead of waiting; with an `apply` that takes several events against one that takes one; and on
//! long streams against short ones.
//!
//! `cargo xtask bench execute`; docs/operations/performance.md describes the comparisons.

mod accounts;
mod first_fold;
mod in_rust;
mod long;
mod ways;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use eventcore_benches::database::{Database, Server};
use eventcore_benches::machine::Machine;
use eventcore_benches::report::{Comparison, Figure, Report, Target};
use eventcore_benches::rounds;
use eventcore_harness::ServerOptions;

use accounts::Accounts;
use ways::{Way, Workers};

#[derive(Parser)]
struct Arguments {
    /// Where the report is written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How long each slice lasts; short, because the load of the disk by others changes within
    /// seconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 300)]
    slice: u64,
    /// Do not wait for the disk at each commit: then only the work of the processor is measured
    #[arg(long)]
    asynchronous: bool,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Against the client's `execute`
    Client,
    /// With early lock release, against the client's `execute`
    EarlyClient,
    /// With early lock release, against the same without
    Early,
    /// Against a function that updates two rows
    Rows,
    /// With an `apply` that takes several events, against one that takes one event
    Batch,
    /// With an `apply` that takes several events, against a function that updates two rows
    BatchRows,
    /// Against a function that retries until nothing has changed meanwhile
    Optimistic,
    /// On accounts with 100,000 events, against accounts with at most 19
    Long,
    /// The first fold of 100,000 events by an `apply` that takes several events, against one that
    /// takes one event
    FirstFold,
}

impl Work {
    fn ours(self) -> Way {
        match self {
            Self::EarlyClient | Self::Early => Way::Early,
            Self::Batch | Self::BatchRows => Way::Batch,
            Self::Client | Self::Rows | Self::Optimistic | Self::Long | Self::FirstFold => {
                Way::Command
            }
        }
    }

    fn reference(self) -> Way {
        match self {
            Self::Client | Self::EarlyClient => Way::Client,
            Self::Early | Self::Batch | Self::Long | Self::FirstFold => Way::Command,
            Self::Rows | Self::BatchRows => Way::Rows,
            Self::Optimistic => Way::Optimistic,
        }
    }

    /// Workers, accounts, target.
    fn cases(self) -> Vec<(usize, u64, Option<Target>)> {
        match self {
            Self::Client => vec![
                (1, 1_000, Some(Target::AtLeast(1.5))),
                (16, 10, Some(Target::AtLeast(5.0))),
                (16, 1_000, None),
            ],
            Self::EarlyClient => vec![(16, 10, Some(Target::AtLeast(5.0)))],
            Self::Early => vec![(1, 1_000, None), (16, 10, None), (16, 1_000, None)],
            Self::Rows => vec![(16, 1_000, Some(Target::AtLeast(0.5)))],
            Self::Batch => vec![(1, 1_000, None), (16, 1_000, Some(Target::AtLeast(1.3)))],
            Self::BatchRows => vec![(16, 1_000, Some(Target::AtLeast(0.65)))],
            Self::Optimistic => vec![(1, 1_000, None), (16, 10, None), (16, 1_000, None)],
            Self::Long | Self::FirstFold => Vec::new(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let slice = Duration::from_millis(arguments.slice);
    let synchronous = if arguments.asynchronous { "off" } else { "on" };
    let options = ServerOptions::new().set("synchronous_commit", synchronous);
    let private = eventcore_harness::Server::start(options)?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut report = Report::new("execute", "eventcore: commands in the database", machine);
    for work in Work::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(work) {
            continue;
        }
        if matches!(work, Work::Long | Work::FirstFold) {
            eprintln!("==> long streams");
            let database = server.fresh_database("bench_work").await?;
            database.execute(include_str!("bank.sql")).await?;
            if *work == Work::Long {
                long::measure(&database, arguments.rounds, slice, &mut report).await?;
            } else {
                first_fold::measure(&database, arguments.rounds, &mut report).await?;
            }
            report.write(&arguments.reports)?;
        }
        for (workers, accounts, target) in work.cases() {
            let against = work.reference().name();
            eprintln!("==> against {against}: {workers} clients, {accounts} accounts");
            let database = server.fresh_database("bench_work").await?;
            database.execute(include_str!("bank.sql")).await?;
            let ours = connect(&database, work.ours(), workers, accounts).await?;
            let theirs = connect(&database, work.reference(), workers, accounts).await?;
            let _warm = (ours.rate(slice).await?, theirs.rate(slice).await?);
            let rounds = rounds::alternate(
                arguments.rounds.into(),
                async |_| ours.rate(slice).await,
                async |_| theirs.rate(slice).await,
            )
            .await?;
            report.comparisons.push(Comparison::new(
                format!("transfer by {}, {accounts} accounts", work.ours().name()),
                against,
                u32::try_from(workers)?,
                "transfers/s",
                rounds,
                target,
            ));
            let case = format!("{workers} clients, {accounts} accounts");
            if workers > 1 && !matches!(work, Work::Rows | Work::BatchRows) {
                report.figures.extend(ours.figures(&case));
                report.figures.extend(theirs.figures(&case));
            }
            report.figures.extend(histories(&database, &case).await?);
            report.write(&arguments.reports)?;
        }
    }
    println!("{}", report.text());
    println!(
        "written to {}/{}.*",
        arguments.reports.display(),
        report.name
    );
    Ok(())
}

/// Sessions, and accounts that only they use.
async fn connect(database: &Database, way: Way, workers: usize, count: u64) -> Result<Workers> {
    let prefix = match way {
        Way::Command | Way::Long => "command",
        Way::Batch => "batch",
        Way::Early => "early",
        Way::Client => "client",
        Way::Optimistic => "optimistic",
        Way::Rows => "rows",
    };
    if way == Way::Rows {
        let accounts = Accounts::of_rows(database, prefix, count).await?;
        return Workers::connect(database, way, workers, accounts).await;
    }
    let accounts = Accounts::new(database, prefix, count).await?;
    Workers::connect(database, way, workers, accounts).await
}

/// How many events a transfer read per account.
async fn histories(database: &Database, case: &str) -> Result<[Figure; 2]> {
    let lengths = "SELECT avg(version - 1)::float8, max(version - 1)::float8 FROM eventcore.events
                    WHERE stream_id ~ '^(command|early|batch)-' AND event_type = 'MoneyWithdrawn'";
    let row = database.connect().await?.query_one(lengths, &[]).await?;
    let figure = |what: &str, value| Figure {
        work: case.to_owned(),
        what: format!("history of an account, {what}"),
        value,
        unit: "events",
    };
    Ok([
        figure("mean", row.try_get(0)?),
        figure("longest", row.try_get(1)?),
    ])
}
