//! `cargo xtask package`: what a release consists of, in `target/packages`.

pub(crate) mod deb;
mod notice;
pub(crate) mod pgxn;
pub(crate) mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::PgOption;
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask package …`
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pg: PgOption,
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Debian packages of the extension, one for each PostgreSQL [default: 15 to 18, or --pg N], and
    /// of the command `eventcore`
    Deb {
        /// Only those of the extension
        #[arg(long)]
        extension_only: bool,
    },
    /// The archive for PGXN: the sources, with META.json
    Pgxn,
}

pub(crate) fn run(workspace: &Workspace, ui: &Ui, arguments: &Arguments) -> Result<ExitCode> {
    let packages = match arguments.kind {
        Kind::Deb { extension_only } => {
            let selection = deb::Selection {
                pg: arguments.pg.pg,
                tool: (!extension_only).then_some(tool::Profile::Release),
            };
            deb::build(workspace, ui, selection, &folder(workspace))?
        }
        Kind::Pgxn => vec![pgxn::build(workspace, ui)?],
    };
    for package in packages {
        ui.answer(&package.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}

/// Where packages are put.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("packages")
}

/// Writes a file, and makes the folder for it.
fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The output of `git` in the repository.
fn git(workspace: &Workspace, arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(&workspace.root).args(arguments);
    let output = eventcore_harness::run(&mut git).context("git is needed to make a package")?;
    Ok(output.trim().to_owned())
}

/// An error if the sources differ from the current commit, of which the archive is made.
pub(crate) fn require_clean(workspace: &Workspace) -> Result<()> {
    if !git(workspace, &["status", "--porcelain"])?.is_empty() {
        bail!("this is made of the current commit: commit your changes first");
    }
    Ok(())
}
