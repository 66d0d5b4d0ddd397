//! `cargo xtask bench client`: the cost of the client, in memory and on PostgreSQL.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::on_a_server_of_its_own;
use crate::step::Ui;
use crate::workspace::Workspace;

#[derive(Args)]
pub(super) struct Arguments {
    /// How often each work and its reference take turns, at least 3 [default: 3 in memory, 9 on PostgreSQL]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Only this part
    #[arg(long, value_enum)]
    part: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The store in memory, against a loop over JSON trees; needs no server
    Memory,
    /// Commands on PostgreSQL, against their two statements
    Postgres,
}

/// Runs the parts one after the other and writes their reports to `bench/` in the target folder.
pub(super) fn run(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
    arguments: &Arguments,
) -> Result<ExitCode> {
    let rounds: Vec<OsString> = match arguments.rounds {
        Some(rounds) => vec!["--rounds".into(), rounds.to_string().into()],
        None => Vec::new(),
    };
    let wants = |part| arguments.part.is_none_or(|wanted| wanted == part);
    if wants(Part::Memory) {
        in_memory(workspace, &rounds)?;
    }
    if wants(Part::Postgres) {
        return on_a_server_of_its_own(workspace, ui, pg, "client_postgres", &rounds);
    }
    Ok(ExitCode::SUCCESS)
}

/// The part that Criterion measures.
fn in_memory(workspace: &Workspace, arguments: &[OsString]) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "bench",
        "--package",
        "eventcore-benches",
        "--bench",
        "client",
    ]);
    cargo
        .args(["--", "--reports"])
        .arg(workspace.target.join("bench"));
    let status = cargo
        .args(arguments)
        .status()
        .context("cannot run the benchmark")?;
    anyhow::ensure!(status.success(), "the benchmark failed: {status}");
    Ok(())
}
