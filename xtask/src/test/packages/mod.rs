//! The packages: what the usual tools say of them, and how they install where there is nothing else.

mod bare_debian;
mod image;
mod next_release;
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::run as output;

use super::Run;
use crate::package::tool::Profile;
use crate::package::{self, deb, pgxn, require_clean};
use crate::setup;

/// The crates that a release publishes.
const PUBLISHED: [&str; 7] = [
    "eventcore-rules",
    "eventcore-macros",
    "eventcore",
    "eventcore-testing",
    "eventcore-inspect",
    "eventcore-console",
    "eventcore-cli",
];

/// Builds the Debian package of one PostgreSQL and that of the command, has lintian read them, and tries
/// out the latter.
pub(super) fn lint(run: &mut Run<'_>) -> Result<()> {
    setup::ensure_on_path(run.ui, "lintian", "lintian")?;
    let major = setup::headers(run.workspace, run.ui, run.pg)?.major;
    let selection = deb::Selection {
        pg: Some(major),
        tool: Some(Profile::Dev),
    };
    let packages = deb::build(
        run.workspace,
        run.ui,
        selection,
        &package::folder(run.workspace),
    )?;
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error,warning"])
        .args(&packages);
    run.ui.run("packages: lintian", &mut lintian)?;
    let package = packages.last().context("no package was built")?;
    tool::try_out(run, package)
}

/// Installs the Debian package into a Debian that has nothing but apt, and that of a made-up next
/// release over it; the image of the extension on PostgreSQL 18; the archive for PGXN with make; builds
/// the crates for crates.io from what they would contain there. Takes minutes.
pub(super) fn try_out(run: &mut Run<'_>) -> Result<()> {
    require_clean(run.workspace)?;
    for tool in ["mmdebstrap", "unzip"] {
        setup::ensure_on_path(run.ui, tool, tool)?;
    }
    let major = bare_debian::major(run)?;
    let package = built(run, major)?;
    let folder = run.workspace.target.join("xtask/bare");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let tried = bare_debian::upgrade(run, major, &package, &folder)
        .and_then(|()| image::mount(run))
        .and_then(|()| by_make(run, &folder))
        .and_then(|()| crates(run));
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    tried
}

fn built(run: &Run<'_>, major: u32) -> Result<PathBuf> {
    let folder = package::folder(run.workspace);
    let selection = deb::Selection::extension(major);
    let packages = deb::build(run.workspace, run.ui, selection, &folder)?;
    packages.into_iter().next().context("no package was built")
}

/// Unpacks a Debian package.
fn extract(package: &Path, folder: &Path) -> Result<()> {
    let mut extract = Command::new("dpkg-deb");
    output(extract.arg("--extract").arg(package).arg(folder))?;
    Ok(())
}

/// `make` and `make install`, from the archive.
fn by_make(run: &Run<'_>, folder: &Path) -> Result<()> {
    let archive = pgxn::build(run.workspace, run.ui)?;
    let mut unzip = Command::new("unzip");
    unzip.arg("-q").arg(archive).arg("-d").arg(folder);
    output(&mut unzip)?;
    let version = &run.workspace.version;
    let sources = folder.join(format!("eventcore-{version}"));
    if !sources.join("META.json").is_file() {
        bail!("the archive has no META.json");
    }
    let headers = setup::headers(run.workspace, run.ui, run.pg)?;
    let installed = folder.join("installed");
    for target in ["all", "install"] {
        let mut make = Command::new("make");
        run.workspace.prepare(&mut make);
        // Its own target folder: in this one, cargo would take what it builds here for a build of the
        // workspace, as both have the same names and versions, and run the xtask of a folder that is gone.
        make.env("CARGO_TARGET_DIR", sources.join("target"));
        make.current_dir(&sources)
            .arg(target)
            .arg(format!("PG_CONFIG={}", headers.pg_config().display()))
            .arg(format!("DESTDIR={}", installed.display()));
        run.ui.run(&format!("packages: make {target}"), &mut make)?;
    }
    let folders = setup::Folders::of(&headers)?.below(&installed);
    for file in [
        folders.libraries.join("eventcore.so"),
        folders.scripts.join("eventcore.control"),
        folders.scripts.join(format!("eventcore--{version}.sql")),
    ] {
        if !file.is_file() {
            bail!("make install did not write {}", file.display());
        }
    }
    Ok(())
}

/// The crates that are published, each built from its archive.
fn crates(run: &Run<'_>) -> Result<()> {
    let mut cargo = run.workspace.cargo();
    cargo.args(["package", "--allow-dirty"]);
    for package in PUBLISHED {
        cargo.args(["--package", package]);
    }
    run.ui.run("packages: crates for crates.io", &mut cargo)
}
