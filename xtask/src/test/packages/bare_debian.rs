//! The Debian package in a Debian that has nothing but apt.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Run, next_release};
use crate::package::deb;

/// The releases of Debian with the PostgreSQL that each has.
const DEBIANS: [(&str, u32); 2] = [("bookworm", 15), ("trixie", 17)];

/// How a chroot gets what the programs in it expect: processes, devices, names of hosts.
const IN_CHROOT: &str = r#"
root=$1
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" /tmp/try.sh "$@"
"#;

/// What the script uses: a database in the middle of its work, and what it does afterwards.
const FILES: [&str; 3] = [
    "packaging/debian/try.sh",
    "tests/surface/copies/fill.sql",
    "tests/surface/copies/go_on.sql",
];

/// The PostgreSQL whose package is tried: that of this machine's Debian, because a library that was
/// built here needs this C library or a newer one.
pub(super) fn major(run: &Run<'_>) -> Result<u32> {
    if let Some(major) = run.pg {
        debian(major)?;
        return Ok(major);
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let here = |name: &str| {
        let line = format!("VERSION_CODENAME={name}");
        release.lines().any(|it| it == line)
    };
    let (_, major) = DEBIANS
        .iter()
        .find(|(name, _)| here(name))
        .unwrap_or(&DEBIANS[0]);
    Ok(*major)
}

fn debian(major: u32) -> Result<&'static str> {
    match DEBIANS.iter().find(|(_, has)| *has == major) {
        Some((name, _)) => Ok(name),
        None => bail!("no release of Debian has PostgreSQL {major}: choose --pg 15 or --pg 17"),
    }
}

/// Installs the package, and that of a made-up next release over it.
pub(super) fn upgrade(run: &Run<'_>, major: u32, package: &Path, folder: &Path) -> Result<()> {
    let next = next_release::make_up(run.workspace, &folder.join("next"))?;
    let built = deb::build(
        &next,
        run.ui,
        deb::Selection::extension(major),
        &folder.join("next-packages"),
    )?;
    let root = folder.join("root");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--variant=apt", "--dpkgopt=force-unsafe-io"])
        .args(["--include=ca-certificates", debian(major)?])
        .arg(&root);
    run.ui.run("packages: a bare Debian", &mut mmdebstrap)?;
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        fs::copy(file, root.join(&file[1..]))?;
    }
    let inside = |file: &Path| -> Result<PathBuf> {
        let name = file.file_name().context("a file has a name")?;
        let inside = Path::new("/tmp").join(name);
        fs::copy(file, root.join("tmp").join(name))
            .with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(inside)
    };
    for file in FILES {
        inside(&run.workspace.root.join(file))?;
    }
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--mount", "--pid", "--fork", "--kill-child"])
        .args(["/bin/sh", "-euc", IN_CHROOT, "sh"])
        .arg(&root)
        .arg(inside(package)?);
    for package in &built {
        unshare.arg(inside(package)?);
    }
    run.ui.stream(
        "packages: install, append, upgrade, put back, purge",
        &mut unshare,
        |_| {},
    )
}
