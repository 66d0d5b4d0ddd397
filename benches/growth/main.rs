//! What an append, a read or a poll costs while something grows: events, streams, waiting sessions,
//! subscriptions, projections, connections, databases, parked and delayed events, executions.
//!
//! `cargo xtask bench growth`; docs/operations/performance.md describes the works.

mod beside;
mod databases;
mod executions;
mod ladder;
mod parked;
mod sessions;
mod store;
mod writers;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use eventcore_benches::database::Server;
use eventcore_benches::machine::Machine;
use eventcore_benches::report::Report;
use eventcore_harness::ServerOptions;

#[derive(Parser)]
struct Arguments {
    /// Where the report is written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How often all sizes take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How long each turn lasts
    #[arg(long, default_value_t = 700, value_parser = clap::value_parser!(u16).range(100..))]
    milliseconds: u16,
    /// The events of the largest store of the work `events`; 50 million take 8 GB and minutes
    #[arg(long, default_value_t = 50_000_000, value_parser = clap::value_parser!(u64).range(100_000..))]
    events: u64,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What grows.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Sessions in `eventcore_wait`
    Waiters,
    /// Sessions that LISTEN
    Listeners,
    /// Sessions in `eventcore_poll(wait)`, each of a subscription of its own
    Subscriptions,
    /// Projections whose filter matches no event
    Projections,
    /// Idle connections
    Connections,
    /// Databases of the server that have the extension and have had appends
    Databases,
    /// Streams
    Streams,
    /// Parked events, and delayed ones, of a subscription
    Parked,
    /// Executions with an idempotency key, and states of streams that are kept
    Executions,
    /// Events
    Events,
}

/// What every work needs.
struct Growth {
    rounds: usize,
    slice: Duration,
    events: u64,
    report: Report,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let private = eventcore_harness::Server::start(options())?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut growth = Growth {
        rounds: arguments.rounds.into(),
        slice: Duration::from_millis(arguments.milliseconds.into()),
        events: arguments.events,
        report: Report::new("growth", "eventcore: what grows", machine),
    };
    for work in Work::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(work) {
            continue;
        }
        let name = work.to_possible_value();
        eprintln!("==> {}", name.as_ref().map_or("", |name| name.get_name()));
        match work {
            Work::Waiters => beside::waiters(&server, &mut growth).await?,
            Work::Listeners => beside::listeners(&server, &mut growth).await?,
            Work::Subscriptions => beside::subscriptions(&server, &mut growth).await?,
            Work::Projections => beside::projections(&server, &mut growth).await?,
            Work::Connections => beside::connections(&server, &mut growth).await?,
            Work::Databases => databases::run(&mut growth).await?,
            Work::Streams => store::streams(&server, &mut growth).await?,
            Work::Parked => parked::run(&server, &mut growth).await?,
            Work::Executions => executions::run(&server, &mut growth).await?,
            Work::Events => store::events(&server, &mut growth).await?,
        }
        // After each work, so that a failure of a later one does not lose them.
        growth.report.write(&arguments.reports)?;
    }
    println!("{}", growth.report.text());
    println!(
        "written to {}/{}*",
        arguments.reports.display(),
        growth.report.name
    );
    Ok(())
}

/// A server with room for a thousand sessions. What the log keeps between checkpoints is little, for
/// the disk.
fn options() -> ServerOptions {
    ServerOptions::new()
        .set("max_connections", "1200")
        .set("max_worker_processes", "96")
        .set("max_wal_size", "1GB")
}
