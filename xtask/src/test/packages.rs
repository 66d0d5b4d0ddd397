//! The packages: what the usual tools say of them, and how they install where there is nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::run as output;

use super::Run;
use crate::package::{deb, pgxn};
use crate::setup::{self, VERSION};

/// The crates that a release publishes.
const PUBLISHED: [&str; 6] = [
    "eventcore-rules",
    "eventcore-macros",
    "eventcore",
    "eventcore-testing",
    "eventcore-inspect",
    "eventcore-cli",
];

/// How a chroot gets what the programs in it expect: processes, devices, names of hosts.
const IN_CHROOT: &str = r#"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
exec chroot "$1" /tmp/try.sh "$2"
"#;

/// Builds the Debian package of one PostgreSQL, and has lintian read it.
pub(super) fn lint(run: &mut Run<'_>) -> Result<()> {
    setup::ensure_on_path(run.ui, "lintian", "lintian")?;
    let package = built(run)?;
    let mut lintian = Command::new("lintian");
    lintian
        .args(["--allow-root", "--fail-on", "error,warning"])
        .arg(package);
    run.ui.run("packages: lintian", &mut lintian)
}

/// Installs the Debian package into a Debian that has nothing but apt, and the archive for PGXN with
/// make; builds the crates for crates.io from what they would contain there. Takes minutes.
pub(super) fn try_out(run: &mut Run<'_>) -> Result<()> {
    setup::ensure_on_path(run.ui, "mmdebstrap", "mmdebstrap")?;
    setup::ensure_on_path(run.ui, "unzip", "unzip")?;
    let package = built(run)?;
    let folder = run.workspace.target.join("xtask/bare");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let tried = in_a_bare_debian(run, &package, &folder)
        .and_then(|()| by_make(run, &folder))
        .and_then(|()| crates(run));
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    tried
}

fn built(run: &Run<'_>) -> Result<PathBuf> {
    let major = setup::headers(run.workspace, run.ui, run.pg)?.major;
    let packages = deb::build(run.workspace, run.ui, Some(major))?;
    packages.into_iter().next().context("no package was built")
}

fn in_a_bare_debian(run: &Run<'_>, package: &Path, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--variant=apt", "--dpkgopt=force-unsafe-io"])
        .args(["--include=ca-certificates", "bookworm"])
        .arg(&root);
    run.ui.run("packages: a bare Debian", &mut mmdebstrap)?;
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        fs::copy(file, root.join(&file[1..]))?;
    }
    let script = run.workspace.root.join("packaging/debian/try.sh");
    fs::copy(script, root.join("tmp/try.sh"))?;
    let name = package.file_name().context("a package has a name")?;
    let inside = Path::new("/tmp").join(name);
    fs::copy(package, root.join("tmp").join(name))?;
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--pid", "--fork", "--kill-child"])
        .args(["/bin/sh", "-euc", IN_CHROOT, "sh"])
        .arg(&root)
        .arg(&inside);
    run.ui
        .stream("packages: install, append, purge", &mut unshare, |_| {})
}

/// `make` and `make install`, from the archive.
fn by_make(run: &Run<'_>, folder: &Path) -> Result<()> {
    let archive = pgxn::build(run.workspace, run.ui)?;
    let mut unzip = Command::new("unzip");
    unzip.arg("-q").arg(archive).arg("-d").arg(folder);
    output(&mut unzip)?;
    let sources = folder.join(format!("eventcore-{VERSION}"));
    if !sources.join("META.json").is_file() {
        bail!("the archive has no META.json");
    }
    let headers = setup::headers(run.workspace, run.ui, run.pg)?;
    let installed = folder.join("installed");
    for target in ["all", "install"] {
        let mut make = Command::new("make");
        run.workspace.prepare(&mut make);
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
        folders.scripts.join(format!("eventcore--{VERSION}.sql")),
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
