//! What the order-management example does in a second. In memory, each of fifteen operations beside
//! a plain implementation of the same; on PostgreSQL, orders from their request until a reader sees
//! them.
//!
//! `cargo xtask bench orders`; docs/operations/performance.md describes the rows.

mod plain;
mod rows;
mod visible;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use eventcore_benches::machine::Machine;
use eventcore_benches::report::Report;

#[derive(Parser)]
struct Arguments {
    /// Where the reports are written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
    /// Only these works
    #[arg(long, value_enum, num_args = 1..)]
    only: Vec<Work>,
}

/// What is measured: all but the last in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Append 1 event
    Append,
    /// Append 10 events
    AppendTen,
    /// Append 1 event at an expected version
    AppendAt,
    /// Retrieve the 100 events of an order
    Read,
    /// Stream 1,000 events
    Follow,
    /// Create an order
    Create,
    /// Create an order, add an item, submit it
    FullCycle,
    /// Reconstruct an order from 50 events
    #[value(name = "fold-50")]
    Fold50,
    /// Reconstruct an order from 100 events
    #[value(name = "fold-100")]
    Fold100,
    /// Take one event into the read models
    Project,
    /// Fill the read models from 300 events
    #[value(name = "catch-up-300")]
    CatchUp300,
    /// Fill the read models from 3,000 events
    #[value(name = "catch-up-3000")]
    CatchUp3000,
    /// List 100 orders
    List,
    /// List the orders of a customer
    ListCustomer,
    /// Fill the read models again from 300 events
    Rebuild,
    /// On PostgreSQL, from POST /orders until a reader sees the order
    Visible,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let works = match arguments.only.as_slice() {
        [] => Work::value_variants(),
        only => only,
    };
    if works.iter().any(|work| *work != Work::Visible) {
        let title = "orders in memory, against a plain implementation";
        let mut report = Report::new("orders", title, Machine::without_server()?);
        rows::run(works, arguments.rounds, &mut report)?;
        println!("{}", report.text());
        report.write(&arguments.reports)?;
    }
    if works.contains(&Work::Visible) {
        let report = visible::run(arguments.rounds)?;
        println!("{}", report.text());
        report.write(&arguments.reports)?;
    }
    Ok(())
}
