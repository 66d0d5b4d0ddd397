//! `cargo xtask bench`: what eventcore costs, measured against something in the same run.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use eventcore_harness::{PG_BIN, PG_CACHE};

use crate::PgOption;
use crate::setup;
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask bench …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// What to measure
    bench: Bench,
    /// Passed on to the benchmark; its file in `benches/` says what it takes
    #[arg(trailing_var_arg = true, value_name = "ARGS")]
    arguments: Vec<String>,
}

/// The benchmarks: the binaries of the package in `benches/`.
#[derive(Clone, Copy, ValueEnum)]
enum Bench {
    /// What 20 listeners cost 64 writers: `[PAIRS] [MILLISECONDS]`
    Listeners,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let installation = setup::run(workspace, ui, arguments.pg.pg)?;
    let bench = arguments
        .bench
        .to_possible_value()
        .context("every benchmark has a name")?;
    let package = ["--release", "--package", "eventcore-benches", "--bin"];

    let mut build = workspace.cargo();
    build.arg("build").args(package).arg(bench.get_name());
    ui.run("benchmark: build", &mut build)?;

    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet"]).args(package);
    cargo
        .arg(bench.get_name())
        .arg("--")
        .args(&arguments.arguments);
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
