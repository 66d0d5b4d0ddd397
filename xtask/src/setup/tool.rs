//! Tools from crates.io, installed once per version and separate from the user's own.

use std::path::PathBuf;

use anyhow::Result;

use crate::lock::lock;
use crate::step::Ui;
use crate::workspace::Workspace;

/// The program's path, after installing this version if it is missing.
pub(crate) fn install(
    workspace: &Workspace,
    ui: &Ui,
    name: &str,
    version: &str,
) -> Result<PathBuf> {
    let folder = workspace.tool(name, version);
    let program = folder.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    let _lock = lock(ui, &workspace.tools)?;
    if program.is_file() {
        return Ok(program);
    }
    let mut cargo = workspace.cargo();
    // A debug build: it takes a third of the time, and the tool's speed hardly matters.
    cargo.args([
        "install",
        name,
        "--locked",
        "--debug",
        "--version",
        &format!("={version}"),
    ]);
    cargo.arg("--root").arg(&folder);
    // A folder of its own, removed afterwards, so that the target folder does not get another
    // thousand files.
    let build = folder.join("build");
    cargo.env("CARGO_TARGET_DIR", &build);
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "none");
    ui.run(
        &format!("{name} {version} into {} (minutes, once)", folder.display()),
        &mut cargo,
    )?;
    let _ = std::fs::remove_dir_all(build);
    Ok(program)
}
