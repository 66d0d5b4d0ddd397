//! `eventcore-peers`: measures another event store and prints one line of JSON.

mod eventcore_postgres;
mod load;
mod report;
mod umadb;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

/// Measures other event stores with the workloads that eventcore is measured with.
#[derive(Parser)]
#[command(name = "eventcore-peers", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    peer: Peer,
}

#[derive(Subcommand)]
enum Peer {
    /// UmaDB: appends on condition that their tag is new
    Umadb(umadb::Arguments),
    /// The library eventcore-postgres: commands through its `execute`
    EventcorePostgres(eventcore_postgres::Arguments),
}

/// The number of clients, and the duration.
#[derive(Args, Clone, Copy)]
struct LoadArguments {
    /// Clients that work at the same time, each with one operation under way
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// How long to measure, after a warm-up of two seconds
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().peer).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The outermost context first, then its causes; never a backtrace.
            let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("error: {}", reasons.join("\n  because: "));
            ExitCode::FAILURE
        }
    }
}

async fn run(peer: Peer) -> Result<()> {
    // The peers' log is read only to learn why an operation failed.
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::ERROR)
        .with_writer(io::stderr)
        .init();
    let report = match peer {
        Peer::Umadb(arguments) => umadb::measure(&arguments).await?,
        Peer::EventcorePostgres(arguments) => eventcore_postgres::measure(&arguments).await?,
    };
    writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}
