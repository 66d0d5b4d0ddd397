//! The cost of appends, compared with plain INSERT and COPY into a table with the same columns.
//!
//! `cargo xtask bench append`; docs/operations/performance.md describes the comparisons.

mod batch;
mod batches;
mod bench;
mod hot_stream;
mod memory;
mod payload;
mod peers;
mod scale;
mod single;
mod storage;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use eventcore_benches::database::Server;
use eventcore_benches::machine::Machine;
use eventcore_benches::report::Report;

use crate::bench::Bench;
use crate::peers::Peers;

#[derive(Parser)]
struct Arguments {
    /// A database that is not changed; the databases for measuring are created beside it
    #[arg(long)]
    url: String,
    /// Where the report is written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// How long each turn is measured, after a warm-up
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
    /// Also measure the work `scale`, on a store with this many events
    #[arg(long, value_name = "N")]
    scale_events: Option<u64>,
    /// Measure against these instead of INSERT and COPY
    #[command(flatten)]
    peers: Peers,
}

/// If the work `scale` is requested by its name alone.
const SCALE_EVENTS: u64 = 10_000_000;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// One event to a new stream, 1, 16 and 64 clients
    NewStream,
    /// One event to a stream at the version that its client knows
    ExistingStream,
    /// One event to each of two new streams
    TwoStreams,
    /// 1,000 events in one call, against COPY
    Batch,
    /// Ten events as one JSON array, against one array per column
    Json,
    /// Appends to one stream by clients that conflict
    HotStream,
    /// Bytes on disk and in the write-ahead log
    Storage,
    /// The memory of a session's process
    Memory,
    /// Appends to a store of many events, against an empty one; takes minutes, so only by name or
    /// with `--scale-events`
    Scale,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let server = Server::new(&arguments.url)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let bench = Bench::new(server, arguments.rounds, arguments.seconds);
    if let Some(peers) = arguments.peers.given() {
        let mut report = Report::new("peers", "eventcore and other event stores", machine);
        peers::run(&bench, &mut report, peers).await?;
        return end(&bench, &report, &arguments.reports).await;
    }
    let mut report = Report::new("append", "eventcore: appends", machine);
    for work in works(&arguments) {
        let name = work.to_possible_value();
        eprintln!("==> {}", name.as_ref().map_or("", |name| name.get_name()));
        match work {
            Work::NewStream => single::new_stream(&bench, &mut report).await?,
            Work::ExistingStream => single::existing_stream(&bench, &mut report).await?,
            Work::TwoStreams => single::two_streams(&bench, &mut report).await?,
            Work::Batch => batches::run(&bench, &mut report).await?,
            Work::Json => single::json(&bench, &mut report).await?,
            Work::HotStream => hot_stream::run(&bench, &mut report).await?,
            Work::Storage => storage::run(&bench, &mut report).await?,
            Work::Memory => memory::run(&bench, &mut report).await?,
            Work::Scale => {
                let events = arguments.scale_events.unwrap_or(SCALE_EVENTS);
                scale::run(&bench, &mut report, events).await?;
            }
        }
        // After each work, so that a failure of a later one does not lose them.
        report.write(&arguments.reports)?;
    }
    end(&bench, &report, &arguments.reports).await
}

async fn end(bench: &Bench, report: &Report, reports: &Path) -> Result<()> {
    bench.clean_up().await?;
    report.write(reports)?;
    println!("{}", report.text());
    println!("written to {}/{}.*", reports.display(), report.name);
    Ok(())
}

/// The named works; without names all, but the work `scale` only if its size is given.
fn works(arguments: &Arguments) -> Vec<Work> {
    let all = Work::value_variants().iter().copied();
    all.filter(|work| match work {
        Work::Scale if arguments.scale_events.is_some() => true,
        Work::Scale => arguments.only.contains(work),
        _ => arguments.only.is_empty() || arguments.only.contains(work),
    })
    .collect()
}
