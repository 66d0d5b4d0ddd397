//! Three nodes under Patroni, writers, readers and faults, and a check of the promises at the end:
//! everything that was acknowledged exists once, at its acknowledged position, and no reader has
//! read anything that is not in the history.
//!
//! `cargo xtask failover` prepares everything, runs this in namespaces of its own, and ends all
//! that it started, however this process ends.

mod cluster;
mod deliveries;
mod faults;
mod haproxy;
mod history;
mod http;
mod load;
mod network;
mod patroni;
mod process;
mod random;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;

use cluster::{Cluster, Programs};
use haproxy::HaProxy;
use load::Load;
use network::Network;

#[derive(Parser)]
struct Arguments {
    /// The folder of PostgreSQL's programs
    #[arg(long)]
    binaries: PathBuf,
    /// Patroni's program
    #[arg(long)]
    patroni: PathBuf,
    /// An empty folder that the user for servers can write to
    #[arg(long)]
    folder: PathBuf,
    /// Where logs are kept
    #[arg(long)]
    reports: PathBuf,
    /// Use the loopback interface: links cannot be cut
    #[arg(long)]
    loopback: bool,
    /// How long faults are injected
    #[arg(long)]
    seconds: u64,
    /// Which faults
    #[arg(long)]
    seed: u64,
    /// Only these kinds of faults
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<faults::Kind>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let network = if arguments.loopback {
        Network::on_loopback()?
    } else {
        Network::with_namespaces()?
    };
    let programs = Programs {
        binaries: arguments.binaries,
        patroni: arguments.patroni,
        folder: arguments.folder,
    };
    let mut cluster = Cluster::new(network, programs)?;
    let options = faults::Options {
        seed: arguments.seed,
        only: arguments.only,
        time: Duration::from_secs(arguments.seconds),
    };
    let run = run(&mut cluster, &options).await;
    let logs = arguments.reports.join(format!("seed-{}", arguments.seed));
    cluster.keep_logs(&logs)?;
    println!("the logs of all nodes are in {}", logs.display());
    Ok(if run? {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Nodes, load, faults, check; returns whether all promises were kept.
async fn run(cluster: &mut Cluster, options: &faults::Options) -> Result<bool> {
    let start = Instant::now();
    cluster.start().await?;
    println!(
        "three nodes stream after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let mut proxy = HaProxy::start(cluster, cluster.folder())?;
    let load = Load::start(cluster, &proxy, options.seed).await?;
    let report = faults::make(cluster, &load, options).await?;
    let outcome = load.finish(cluster).await?;
    anyhow::ensure!(!proxy.has_ended(), "HAProxy has ended");
    let mut violations = outcome.violations.clone();
    violations.extend(history::check(
        &outcome.history,
        &outcome.acknowledged,
        &outcome.logs,
    ));
    violations.extend(deliveries::check_consumer(
        &outcome.history,
        &outcome.consumed,
    ));
    violations.extend(deliveries::check_projection(
        &outcome.history,
        &outcome.projected,
    ));
    println!("\n{}", summary::text(&outcome, &report, &violations));
    Ok(violations.is_empty())
}
