//! The cost of the client's store on PostgreSQL, compared with the statements that it sends.
//!
//! `cargo xtask bench client`; docs/operations/performance.md describes the comparisons.

mod bare;
mod execute;
mod sharing;
mod work;

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
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How long each slice lasts
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_500)]
    slice: u64,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Commands on one stream each, against the two statements that each needs
    Execute,
    /// Commands that decide on cached events, against those that read first
    Cached,
    /// Calls that share the connections when all are in use, against calls that wait for a free one
    Sharing,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rounds = usize::from(arguments.rounds);
    let slice = Duration::from_millis(arguments.slice);
    let private = eventcore_harness::Server::start(ServerOptions::new())?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut report = Report::new(
        "client_postgres",
        "eventcore: the client on PostgreSQL",
        machine,
    );
    for work in Work::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(work) {
            continue;
        }
        let name = work.to_possible_value();
        eprintln!("==> {}", name.as_ref().map_or("", |name| name.get_name()));
        let database = server.fresh_database("bench_work").await?;
        match work {
            Work::Execute => execute::run(&database, &mut report, rounds, slice).await?,
            Work::Cached => execute::cached(&database, &mut report, rounds, slice).await?,
            Work::Sharing => sharing::run(&database, &mut report, rounds, slice).await?,
        }
        report.write(&arguments.reports)?;
    }
    println!("{}", report.text());
    println!(
        "written to {}/{}.*",
        arguments.reports.display(),
        report.name
    );
    Ok(())
}
