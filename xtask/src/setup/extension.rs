//! The extension: built in release and installed into the private PostgreSQL.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::pgrx::Pgrx;
use super::prefix;
use super::source::Source;
use crate::stamp::{Stamp, is_stamped, write_stamp};
use crate::step::Ui;
use crate::workspace::Workspace;

/// The sources of the extension.
const SOURCES: [&str; 5] = ["extension", "rules", "sql", "Cargo.toml", "Cargo.lock"];
/// In the prefix: the stamp of the sources of the installed extension.
const STAMP: &str = ".extension";

/// The stamp of the installed extension, even if it is out of date.
pub(crate) fn installed(prefix: &Path) -> Option<String> {
    fs::read_to_string(prefix.join(STAMP))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// Installs the extension unless that of these sources is installed; returns the stamp of the
/// sources.
pub(crate) fn ensure(
    workspace: &Workspace,
    ui: &Ui,
    pgrx: &Pgrx,
    source: &Source,
    prefix: &Path,
) -> Result<String> {
    let mut stamp = Stamp::default();
    for path in SOURCES {
        stamp = stamp.path(&workspace.root.join(path))?;
    }
    let stamp = stamp.finish();
    let stamp_file = prefix.join(STAMP);
    if is_stamped(&stamp_file, &stamp) {
        return Ok(stamp);
    }
    let _ = fs::remove_file(&stamp_file);
    let mut install = pgrx.command(workspace, "install");
    install.args([
        "--release",
        "--package",
        "eventcore-extension",
        "--no-default-features",
    ]);
    install
        .args(["--features", &pgrx.feature])
        .arg("--pg-config")
        .arg(&pgrx.pg_config);
    let mut step = ui.step(&format!(
        "extension for PostgreSQL {}: build and install",
        source.major
    ));
    step.run(&mut install)?;
    prefix::open_to_all(prefix)?;
    write_stamp(&stamp_file, &stamp)?;
    step.done();
    Ok(stamp)
}
