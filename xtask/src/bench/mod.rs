//! `cargo xtask bench`: the cost of eventcore, measured against a reference in the same run.

mod append;
mod client;
mod install_peers;
mod on_the_server;
mod peers;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use eventcore_harness::{PG_BIN, PG_CACHE};

use crate::PgOption;
use crate::setup::{self, Installation};
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask bench …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// What to measure
    #[command(subcommand)]
    bench: Bench,
}

/// The benchmarks, each a binary of a package in `benches/`.
#[derive(Subcommand)]
enum Bench {
    /// Appends against INSERT and COPY: rates, disk, log, memory
    Append(append::Arguments),
    /// The client: its store in memory against a loop over JSON trees; `execute` on PostgreSQL against its two
    /// statements; whether calls should share connections
    Client(client::Arguments),
    /// What a console with ten browsers costs appends, how soon its tail shows an event, the export against COPY
    Console(Console),
    /// Commands inside the database, against the client's, two plain rows, and trying instead of waiting
    Execute(Works),
    /// What appends, polls and reads cost while something grows: events, streams, waiting sessions, subscriptions,
    /// projections, connections, databases, parked events; about 10 minutes and 10 GB
    Growth(Growth),
    /// What 20 listeners cost 64 writers
    Listeners(Listeners),
    /// The order-management example: in memory against a plain implementation of the same; on PostgreSQL, orders
    /// until they are visible
    Orders(Works),
    /// Appends and commands against UmaDB and eventcore-postgres
    Peers(peers::Arguments),
    /// Projections inside the server against a client that does the same
    Projections(Rounds),
    /// How soon subscribers see events, what they cost, what consumers get done
    Subscribe(Works),
}

#[derive(Args)]
struct Listeners {
    /// How many slices of time with listeners [default: 30]
    pairs: Option<u32>,
    /// How long each of them lasts [default: 1000]
    milliseconds: Option<u32>,
}

#[derive(Args)]
struct Growth {
    #[command(flatten)]
    works: Works,
    /// How many events the largest store has [default: 50000000, which take 8 GB]
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// How long each turn lasts, in milliseconds [default: 700]
    #[arg(long, value_name = "MS")]
    milliseconds: Option<u32>,
}

#[derive(Args)]
struct Console {
    #[command(flatten)]
    works: Works,
    /// How many events are exported [default: 500000]
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// How long each turn of the appends lasts, in milliseconds [default: 3000]
    #[arg(long, value_name = "MS")]
    milliseconds: Option<u32>,
}

#[derive(Args)]
struct Rounds {
    /// How often each work and its reference take turns, at least 3 [default: 3]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
}

#[derive(Args)]
struct Works {
    /// How often each work and its reference take turns, at least 3 [default: 7, of growth 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Only these works; an unknown name lists them all
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let pg = arguments.pg.pg;
    match &arguments.bench {
        Bench::Append(arguments) => append::run(workspace, ui, pg, arguments),
        Bench::Client(arguments) => client::run(workspace, ui, pg, arguments),
        Bench::Peers(arguments) => peers::run(workspace, ui, pg, arguments),
        Bench::Listeners(arguments) => {
            let numbers = [arguments.pairs, arguments.milliseconds];
            let passed_on: Vec<OsString> = numbers
                .into_iter()
                .flatten()
                .map(|number| number.to_string().into())
                .collect();
            on_a_server_of_its_own(workspace, ui, pg, "listeners", &passed_on)
        }
        Bench::Growth(growth) => {
            on_a_server_of_its_own(workspace, ui, pg, "growth", &growth.passed_on())
        }
        Bench::Console(console) => {
            on_a_server_of_its_own(workspace, ui, pg, CONSOLE, &console.passed_on())
        }
        Bench::Execute(works) => {
            on_a_server_of_its_own(workspace, ui, pg, "execute", &works.passed_on())
        }
        Bench::Orders(works) => {
            on_a_server_of_its_own(workspace, ui, pg, ORDERS, &works.passed_on())
        }
        Bench::Projections(Rounds { rounds }) => {
            let passed_on: Vec<OsString> = rounds
                .iter()
                .flat_map(|rounds| ["--rounds".into(), rounds.to_string().into()])
                .collect();
            on_a_server_of_its_own(workspace, ui, pg, "projections", &passed_on)
        }
        Bench::Subscribe(works) => {
            on_a_server_of_its_own(workspace, ui, pg, "subscribe", &works.passed_on())
        }
    }
}

impl Growth {
    fn passed_on(&self) -> Vec<OsString> {
        with_sizes(&self.works, self.events, self.milliseconds)
    }
}

impl Console {
    fn passed_on(&self) -> Vec<OsString> {
        with_sizes(&self.works, self.events, self.milliseconds)
    }
}

fn with_sizes(works: &Works, events: Option<u64>, milliseconds: Option<u32>) -> Vec<OsString> {
    let mut passed_on = works.passed_on();
    if let Some(events) = events {
        passed_on.extend(["--events".into(), events.to_string().into()]);
    }
    if let Some(milliseconds) = milliseconds {
        passed_on.extend(["--milliseconds".into(), milliseconds.to_string().into()]);
    }
    passed_on
}

impl Works {
    fn passed_on(&self) -> Vec<OsString> {
        let mut passed_on: Vec<OsString> = Vec::new();
        if let Some(rounds) = self.rounds {
            passed_on.extend(["--rounds".into(), rounds.to_string().into()]);
        }
        for name in &self.only {
            passed_on.extend(["--only".into(), name.into()]);
        }
        passed_on
    }
}

/// Builds and runs a benchmark that starts its own server.
fn on_a_server_of_its_own(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
    name: &str,
    arguments: &[OsString],
) -> Result<ExitCode> {
    build(workspace, ui, name)?;
    let installation = setup::run(workspace, ui, pg)?;
    measure(workspace, &installation, name, |command| {
        command.args(arguments)
    })
}

/// The benchmarks that need a web framework, and so have a package of their own.
const CONSOLE: &str = "console_bench";
const ORDERS: &str = "orders_bench";

/// The arguments of cargo that choose the benchmark `name`.
fn chosen(name: &str) -> [&str; 5] {
    let package = match name {
        CONSOLE => "eventcore-benches-console",
        ORDERS => "eventcore-benches-orders",
        _ => "eventcore-benches",
    };
    ["--release", "--package", package, "--bin", name]
}

/// Builds the benchmark `name`, so that nothing is compiled while it measures.
fn build(workspace: &Workspace, ui: &Ui, name: &str) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.arg("build").args(chosen(name));
    ui.run(&format!("benchmark {name}: build"), &mut cargo)
}

/// Runs the benchmark `name` with our own output and writes its report to `bench/` in the target
/// folder; returns its exit code.
fn measure(
    workspace: &Workspace,
    installation: &Installation,
    name: &str,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet"]).args(chosen(name));
    cargo
        .args(["--", "--reports"])
        .arg(workspace.target.join("bench"));
    arguments(&mut cargo);
    cargo
        .env(PG_BIN, installation.binaries.folder())
        .env(PG_CACHE, installation.cache());
    let status = cargo.status().context("cannot run the benchmark")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
