//! `cargo xtask demo`: the example `banking` on the private server, in a fresh database.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::PgOption;
use crate::server::{self, PrivateServer};
use crate::setup;
use crate::step::Ui;
use crate::workspace::Workspace;

const DATABASE: &str = "eventcore_demo";

/// `cargo xtask demo …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    /// Passed on to the example; with `--store memory` it needs no PostgreSQL
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    arguments: Vec<String>,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    if wants_memory(&arguments.arguments) {
        build(workspace, ui)?;
        return banking(workspace, |command| command.args(&arguments.arguments));
    }
    let installation = setup::run(workspace, ui, arguments.pg.pg)?;
    build(workspace, ui)?;
    let server = PrivateServer::new(&installation)?;
    server::start(ui, &server, &installation)?;
    let step = ui.step(&format!("fresh database {DATABASE}"));
    server.fresh_database(DATABASE)?;
    step.done();
    let url = server.socket_url(DATABASE)?;
    let code = banking(workspace, |command| {
        command
            .args(["--store", "postgres", "--url", &url])
            .args(&arguments.arguments)
    })?;
    ui.say(&format!(
        "\nThe server still runs, with everything that happened in it:\n  \
         cargo xtask server psql -d {DATABASE}\n  \
         cargo xtask server stop"
    ));
    Ok(code)
}

fn build(workspace: &Workspace, ui: &Ui) -> Result<()> {
    let mut cargo = workspace.cargo();
    ui.run(
        "example banking: build",
        cargo.args(["build", "--release", "--package", "banking"]),
    )
}

/// Runs the example with our own input and output; its exit code.
fn banking(
    workspace: &Workspace,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<ExitCode> {
    let mut cargo = workspace.cargo();
    cargo.args(["run", "--quiet", "--release", "--package", "banking", "--"]);
    let status = arguments(&mut cargo)
        .status()
        .context("cannot run the example banking")?;
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn wants_memory(arguments: &[String]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "--store=memory")
        || arguments
            .windows(2)
            .any(|pair| pair[0] == "--store" && pair[1] == "memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_in_memory_needs_no_server() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(wants_memory(&words("--store memory")));
        assert!(wants_memory(&words("--workers 2 --store=memory")));
        assert!(!wants_memory(&words("--store postgres --name memory")));
    }
}
