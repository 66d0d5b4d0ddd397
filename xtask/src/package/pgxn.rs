//! `cargo xtask package pgxn`: the archive for PGXN, which is the sources of the current commit and
//! META.json.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{folder, git, require_clean};
use crate::step::Ui;
use crate::workspace::Workspace;

/// Writes the archive; returns it.
pub(crate) fn build(workspace: &Workspace, ui: &Ui) -> Result<PathBuf> {
    require_clean(workspace)?;
    let step = ui.step("archive for PGXN");
    let folder = folder(workspace);
    fs::create_dir_all(&folder)?;
    let meta = folder.join("META.json");
    fs::write(&meta, meta_json(workspace)?)?;
    let version = &workspace.version;
    let archive = folder.join(format!("eventcore-{version}.zip"));
    git(
        workspace,
        &[
            "archive",
            "--format=zip",
            &format!("--prefix=eventcore-{version}/"),
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
    Ok(template.replace("@VERSION@", &workspace.version))
}
