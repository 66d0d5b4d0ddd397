//! `cargo xtask bench peers`: against other event stores, which it installs into `target/peers`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::install_peers::{UmaDb, install};
use super::measure;
use super::on_the_server::OnTheServer;
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask bench peers …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// How often eventcore and a peer take turns, at least 3 [default: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// How long each turn is measured, after a warm-up [default: 3]
    #[arg(long, value_name = "S")]
    seconds: Option<u32>,
}

pub(super) fn run(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
    arguments: &Arguments,
) -> Result<ExitCode> {
    let peers = install(workspace, ui)?;
    let server = OnTheServer::prepare(workspace, ui, pg)?;
    let umadb = UmaDb::start(&peers)?;
    measure(workspace, &server.installation, "append", |command| {
        command.args(["--url", &server.url, "--umadb", &umadb.url()]);
        command.arg("--driver").arg(peers.driver());
        for (name, value) in [
            ("--rounds", arguments.rounds),
            ("--seconds", arguments.seconds),
        ] {
            if let Some(value) = value {
                command.args([name, &value.to_string()]);
            }
        }
        command
    })
}
