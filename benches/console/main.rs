//! What the console costs appends while ten browsers look at it, how soon its tail shows an event,
//! and how fast events are exported.
//!
//! `cargo xtask bench console`; docs/operations/performance.md describes the comparisons.

mod appends;
mod browser;
mod export;
mod tail;

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
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How long each turn of the appends lasts
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(100..))]
    milliseconds: u16,
    /// How many events are exported
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1000..))]
    events: u32,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Appends by 16 writers while ten browsers look at a console, against no console
    Appends,
    /// From the commit of one writer to the tail in a browser
    Tail,
    /// Events as lines of JSON, against a bare binary COPY
    Export,
}

/// As the command has it. With more, what comes from the server goes from one thread to another.
fn one_thread() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let rounds = usize::from(arguments.rounds);
    let slice = Duration::from_millis(arguments.milliseconds.into());
    let private =
        eventcore_harness::Server::start(ServerOptions::new().set("max_worker_processes", "32"))?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut report = Report::new("console", "eventcore: the console and the export", machine);
    for work in Work::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(work) {
            continue;
        }
        let name = work.to_possible_value();
        eprintln!("==> {}", name.as_ref().map_or("", |name| name.get_name()));
        let database = server.fresh_database("bench_work").await?;
        match work {
            Work::Appends => appends::run(&database, &mut report, rounds, slice).await?,
            Work::Tail => tail::run(&database, &mut report, rounds).await?,
            Work::Export => tokio::task::block_in_place(|| {
                one_thread()?.block_on(export::run(
                    &database,
                    &mut report,
                    rounds,
                    arguments.events,
                ))
            })?,
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
