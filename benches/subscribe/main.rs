//! How long subscribers wait, what waiting ones cost the writers, how fast events are read, the
//! throughput of consumers that share a subscription, and what a poll costs.
//!
//! `cargo xtask bench subscribe`; docs/operations/performance.md describes the comparisons.

mod latency;
mod poll;
mod read;
mod share;
mod waiting;

use std::path::PathBuf;

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
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// From the commit of one writer to a subscriber that waits
    Latency,
    /// Appends by 16 writers while 20 subscribers wait, against none
    Waiting,
    /// 1 million events through the client, against a plain SELECT
    Read,
    /// 4 consumers of one subscription, against one
    Share,
    /// Polls of 100 with an acknowledgement each by 4 consumers, against the functions of 0.1.0
    Poll,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rounds = usize::from(arguments.rounds);
    let private =
        eventcore_harness::Server::start(ServerOptions::new().set("max_worker_processes", "32"))?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut report = Report::new("subscribe", "eventcore: subscriptions", machine);
    for work in Work::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(work) {
            continue;
        }
        let name = work.to_possible_value();
        eprintln!("==> {}", name.as_ref().map_or("", |name| name.get_name()));
        let database = server.fresh_database("bench_work").await?;
        match work {
            Work::Latency => latency::run(&database, &mut report).await?,
            Work::Waiting => waiting::run(&database, &mut report, rounds).await?,
            Work::Read => read::run(&database, &mut report, rounds).await?,
            Work::Share => share::run(&database, &mut report, rounds).await?,
            Work::Poll => poll::run(&server, &database, &mut report, rounds).await?,
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
