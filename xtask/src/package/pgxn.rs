//! `cargo xtask package pgxn`: the archive for PGXN, which is the sources of the current commit and
//! META.json.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::{folder, git};
use crate::setup::VERSION;
use crate::step::Ui;
use crate::workspace::Workspace;

/// Writes the archive; returns it.
pub(crate) fn build(workspace: &Workspace, ui: &Ui) -> Result<PathBuf> {
    if !git(workspace, &["status", "--porcelain"])?.is_empty() {
        bail!("the archive is made of the current commit: commit your changes first");
    }
    let step = ui.step("archive for PGXN");
    let folder = folder(workspace);
    fs::create_dir_all(&folder)?;
    let meta = folder.join("META.json");
    fs::write(&meta, meta_json(workspace)?)?;
    let archive = folder.join(format!("eventcore-{VERSION}.zip"));
    git(
        workspace,
        &[
            "archive",
            "--format=zip",
            &format!("--prefix=eventcore-{VERSION}/"),
            &format!("--output={}", archive.display()),
            &format!("--add-file={}", meta.display()),
            "HEAD",
        ],
    )?;
    step.done();
    Ok(archive)
}

/// What PGXN knows of this version.
fn meta_json(workspace: &Workspace) -> Result<String> {
    let path = workspace.root.join("packaging/pgxn/META.json.in");
    let template =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(template.replace("@VERSION@", VERSION))
}
