//! `cargo xtask server`: a private server that keeps running, with the extension preloaded.

mod cluster;
mod database;
mod folder;

use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::PgOption;
use crate::setup::{self, Installation};
use crate::step::Ui;
use crate::workspace::Workspace;

pub(crate) use cluster::PrivateServer;

/// The database of `url` and `psql`.
pub(crate) const DATABASE: &str = "eventcore";

/// `cargo xtask server …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    pg: PgOption,
}

#[derive(Subcommand)]
enum Action {
    /// Start it (set-up included); does nothing if it runs
    Start,
    /// Stop it; the data stay
    Stop,
    /// Show whether it runs, and where everything is; exits with 3 if it does not run
    Status,
    /// Print a connection URL with the password, after starting the server if necessary
    Url,
    /// Run psql on it, after starting it if necessary: `server psql -d eventcore_demo`
    Psql {
        /// Passed on to psql
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "ARGS"
        )]
        arguments: Vec<String>,
    },
    /// Stop it, delete its data, start with an empty one
    Reset,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let pg = arguments.pg.pg;
    match &arguments.action {
        Action::Start => {
            let server = set_up_and_start(workspace, ui, pg)?;
            ui.say(&format!(
                "\n{}\nTry `cargo xtask server psql`; `cargo xtask server stop` ends it.",
                server.describe()?
            ));
        }
        Action::Stop => {
            let stopped = match existing(workspace, ui, pg)? {
                Some(server) => {
                    let _lock = server.lock(ui)?;
                    server.stop()?
                }
                None => false,
            };
            ui.say(if stopped {
                "stopped"
            } else {
                "it was not running"
            });
        }
        Action::Status => {
            let Some(server) = existing(workspace, ui, pg)? else {
                ui.answer("private server: never started");
                return Ok(ExitCode::from(3));
            };
            ui.answer(&server.describe()?);
            if !server.is_running()? {
                return Ok(ExitCode::from(3));
            }
        }
        Action::Url => {
            ui.answer(&running(workspace, ui, pg)?.loopback_url(DATABASE)?);
        }
        Action::Psql { arguments } => {
            let server = running(workspace, ui, pg)?;
            let error = server
                .command("psql")
                .env("PGDATABASE", DATABASE)
                .args(arguments)
                .exec();
            return Err(error).context("cannot run psql");
        }
        Action::Reset => {
            if let Some(server) = existing(workspace, ui, pg)? {
                let _lock = server.lock(ui)?;
                server.stop()?;
                server.delete()?;
            }
            ui.say(&set_up_and_start(workspace, ui, pg)?.describe()?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The server of an earlier set-up, unchanged: neither built nor started.
fn existing(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<Option<PrivateServer>> {
    setup::existing(workspace, ui, pg)?
        .as_ref()
        .map(PrivateServer::new)
        .transpose()
}

/// The running server; if it does not run, it is set up and started.
fn running(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<PrivateServer> {
    if let Some(server) = existing(workspace, ui, pg)? {
        // A server that another process is starting does not accept connections yet.
        let _lock = server.lock(ui)?;
        if server.is_running()? {
            return Ok(server);
        }
    }
    set_up_and_start(workspace, ui, pg)
}

fn set_up_and_start(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<PrivateServer> {
    let installation = setup::run(workspace, ui, pg)?;
    let server = PrivateServer::new(&installation)?;
    start(ui, &server, &installation)?;
    Ok(server)
}

/// Makes sure that the server runs, with the installed library and the database.
pub(crate) fn start(ui: &Ui, server: &PrivateServer, installation: &Installation) -> Result<()> {
    let _lock = server.lock(ui)?;
    if server.is_running()? {
        if server.has_library(installation) {
            return Ok(());
        }
        ui.say("the extension has been rebuilt: the server is restarted");
        server.stop()?;
    }
    let step = ui.step(&format!(
        "private server, PostgreSQL {}",
        installation.major
    ));
    server.start(ui, installation)?;
    server.ensure_database(DATABASE)?;
    step.done();
    if !server.database_is_of(installation)? {
        ui.say(
            "note: the database `eventcore` was made with an earlier build of the extension; \
             `cargo xtask server reset` makes a new one (its events are lost)",
        );
    }
    Ok(())
}
