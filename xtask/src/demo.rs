//! `cargo xtask demo`: the example `banking` on the private server, in a fresh database.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{self, Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::PgOption;
use crate::background::Background;
use crate::child::ending_with_us;
use crate::lock::{Lock, try_lock};
use crate::server::{self, PrivateServer};
use crate::setup;
use crate::step::Ui;
use crate::workspace::Workspace;

const DATABASE: &str = "eventcore_demo";
const BUILD: &str = "example banking: build";

/// `cargo xtask demo …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// Where the events go; `memory` needs no PostgreSQL
    #[arg(long, value_enum, default_value = "postgres")]
    store: Store,
    /// How many transfers are executed at a time [default: 8]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,
    /// The transfers, lines of `from,to,cents` [default: 10,000 that come with the example]
    #[arg(long, value_name = "FILE")]
    transfers: Option<PathBuf>,
}

/// A kind of store.
#[derive(Clone, Copy, ValueEnum)]
enum Store {
    Postgres,
    Memory,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let passed_on = passed_on(arguments)?;
    match arguments.store {
        Store::Memory => {
            Background::start(ui, BUILD, build(workspace))?.finish(ui)?;
            banking(workspace, |command| {
                command.args(["--store", "memory"]).args(&passed_on)
            })
        }
        Store::Postgres => on_the_server(workspace, ui, arguments.pg.pg, &passed_on),
    }
}

fn on_the_server(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
    passed_on: &[OsString],
) -> Result<ExitCode> {
    // Until the example has ended: the next demo drops its database.
    let _lock = only_demo(&workspace.target.join("xtask/demo"))?;
    if !matches!(setup::existing(workspace, ui, pg), Ok(Some(_))) {
        ui.say("Set-up comes first: about 5 minutes the first time, seconds afterwards.");
    }
    let example = Background::start(ui, BUILD, build(workspace))?;
    setup::packages(workspace, ui, pg)?;
    example.finish(ui)?;
    // Detect errors in the arguments before the last demo's database is dropped.
    let checked = banking(workspace, |command| command.arg("--check").args(passed_on))?;
    if checked != ExitCode::SUCCESS {
        return Ok(checked);
    }

    let installation = setup::run(workspace, ui, pg)?;
    let server = PrivateServer::new(&installation)?;
    server::start(ui, &server, &installation)?;
    let step = ui.step(&format!("fresh database {DATABASE}"));
    {
        let _lock = server.lock(ui)?;
        server.fresh_database(DATABASE)?;
    }
    step.done();

    let url = server.socket_url(DATABASE)?;
    let psql = format!("cargo xtask server psql -d {DATABASE}");
    let code = banking(workspace, |command| {
        command
            .args(["--store", "postgres", "--url", &url])
            .args(["--psql-hint", &psql])
            .args(passed_on)
    })?;
    if code == ExitCode::SUCCESS && server.is_running()? {
        ui.say(&format!(
            "\nThe server still runs, with everything that happened in it:\n  \
             {psql}\n  cargo xtask server stop"
        ));
    }
    Ok(code)
}

/// Fails if another demo is running, since both use the same database.
fn only_demo(folder: &Path) -> Result<Lock> {
    match try_lock(folder)? {
        Some(lock) => Ok(lock),
        None => bail!("another demo is running; wait for its end, or use --store memory"),
    }
}

/// The arguments that are passed to the example unchanged.
fn passed_on(arguments: &Arguments) -> Result<Vec<OsString>> {
    let mut passed_on = Vec::new();
    if let Some(workers) = arguments.workers {
        passed_on.extend(["--workers".into(), workers.to_string().into()]);
    }
    if let Some(file) = &arguments.transfers {
        // The example runs in the repository's root, wherever the caller is.
        let file = path::absolute(file)?;
        passed_on.extend(["--transfers".into(), file.into_os_string()]);
    }
    Ok(passed_on)
}

fn build(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", "banking"]);
    cargo
}

/// Runs the example with our own input and output; returns its exit code.
fn banking(
    workspace: &Workspace,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "banking", "--"]);
    arguments(&mut cargo);
    let status = ending_with_us(cargo)
        .status()
        .context("cannot run the example banking")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Demo {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Demo::try_parse_from(line.split(' ')).map(|demo| demo.arguments)
    }

    #[test]
    fn what_the_example_would_refuse_is_refused_before_anything_is_done() {
        for line in [
            "demo --workers 0",
            "demo --nonsense",
            "demo -- --help",
            "demo --url postgresql:///bank",
            "demo --store paper",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_file_is_named_so_that_it_is_found_from_anywhere() {
        let arguments = parse("demo --workers 2 --transfers own.csv").unwrap();
        let passed_on = passed_on(&arguments).unwrap();
        let file = std::env::current_dir().unwrap().join("own.csv");
        let expected = ["--workers", "2", "--transfers", file.to_str().unwrap()];
        assert_eq!(passed_on, expected);
    }

    #[test]
    fn a_second_demo_is_refused_while_the_first_runs() {
        let folder = std::env::temp_dir().join(format!("xtask-demo-{}", std::process::id()));
        let first = only_demo(&folder).unwrap();
        let refused = only_demo(&folder).unwrap_err().to_string();
        assert!(refused.starts_with("another demo is running"), "{refused}");
        drop(first);
        only_demo(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
