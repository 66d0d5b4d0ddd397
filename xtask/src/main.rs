//! `cargo xtask`: every command that a person or CI runs here, including the set-up.

mod background;
mod bench;
mod book;
mod child;
mod demo;
mod failover;
mod install;
mod lock;
mod orders;
mod package;
mod rehearse;
mod release;
mod server;
mod setup;
mod stamp;
mod step;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::step::Ui;
use crate::workspace::Workspace;

/// Runs eventcore's demo, tests and private PostgreSQL server. Each command does its own set-up and
/// says so.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Move money between accounts, atomically, and watch it: the example `banking`
    Demo(demo::Arguments),
    /// Run the order-management service: the example `orders`, with its web page
    Orders(orders::Arguments),
    /// Run every check and test, or one part: fmt, clippy, doc, deny, packages, unit, server, majors, browser, doctests
    Test(test::Arguments),
    /// Take pictures of every page of the console, with sample data, into target/screenshots
    Screenshots(PgOption),
    /// Run three nodes under Patroni, kill them, cut their links, and check that nothing acknowledged is lost
    Failover(failover::Arguments),
    /// Measure what eventcore costs: append, listeners, peers
    Bench(bench::Arguments),
    /// The private PostgreSQL server with the extension: start, stop, status, url, psql, reset
    Server(server::Arguments),
    /// Build the documentation as a website, with mdBook
    Book,
    /// Build the extension and install it into a PostgreSQL of this machine
    Install(install::Arguments),
    /// Make what a release consists of: Debian packages, the archive for PGXN
    Package(package::Arguments),
    /// Practise operating: find and fix what is broken, with the command `eventcore`
    Rehearse(rehearse::Arguments),
    /// A step of a release: freeze its scripts
    Release(release::Arguments),
    /// Only the set-up: packages, a private PostgreSQL, the extension
    Setup(PgOption),
}

/// Which PostgreSQL to use; every command takes it.
#[derive(Args, Clone, Copy)]
struct PgOption {
    /// PostgreSQL's major version, 15 to 18 [default: the newest that the machine has]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(15..=18))]
    pg: Option<u32>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            // The outermost context first, then its causes; never a backtrace.
            let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
            eprintln!("\nerror: {}", reasons.join("\n  because: "));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let ui = Ui::new(&workspace)?;
    match command {
        Command::Demo(arguments) => demo::run(&workspace, &ui, &arguments),
        Command::Orders(arguments) => orders::run(&workspace, &ui, &arguments),
        Command::Test(arguments) => test::run(&workspace, &ui, &arguments),
        Command::Screenshots(PgOption { pg }) => test::screenshots(&workspace, &ui, pg),
        Command::Failover(arguments) => failover::run(&workspace, &ui, &arguments),
        Command::Bench(arguments) => bench::run(&workspace, &ui, &arguments),
        Command::Server(arguments) => server::run(&workspace, &ui, &arguments),
        Command::Install(arguments) => install::run(&workspace, &ui, &arguments),
        Command::Package(arguments) => package::run(&workspace, &ui, &arguments),
        Command::Rehearse(arguments) => rehearse::run(&workspace, &ui, &arguments),
        Command::Release(arguments) => release::run(&workspace, &ui, &arguments),
        Command::Book => book::run(&workspace, &ui),
        Command::Setup(PgOption { pg }) => {
            let installation = setup::run(&workspace, &ui, pg)?;
            ui.say(&format!(
                "PostgreSQL {} with eventcore is in {}",
                installation.major,
                installation.prefix.display()
            ));
            Ok(ExitCode::SUCCESS)
        }
    }
}
