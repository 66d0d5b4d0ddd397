//! `cargo xtask install`: the extension, built for a PostgreSQL of this machine and installed into it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use crate::setup::{self, Folders, Headers};
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask install …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// The `pg_config` of the PostgreSQL, which needs its headers
    #[arg(long, value_name = "FILE", default_value = "pg_config")]
    pg_config: PathBuf,
    /// Write the files below this folder instead of `/`, to pack them
    #[arg(long, value_name = "FOLDER", default_value = "/")]
    destdir: PathBuf,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    if !arguments.destdir.is_absolute() {
        bail!("--destdir must be an absolute path");
    }
    let headers = Headers::of(&arguments.pg_config)?;
    let folders = Folders::of(&headers)?.below(&arguments.destdir);
    let installed = setup::install_to(workspace, ui, &headers, &folders)?;
    for file in &installed {
        ui.say(&file.display().to_string());
    }
    if arguments.destdir == Path::new("/") {
        ui.say(
            "Set shared_preload_libraries = 'eventcore', restart the server, then run \
             CREATE EXTENSION eventcore in each database.",
        );
    }
    Ok(ExitCode::SUCCESS)
}
