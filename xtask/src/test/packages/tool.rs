//! The package `eventcore`, unpacked: its program, its pages, its completions and its service.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use eventcore_harness::run as output;

use super::{Run, extract};
use crate::setup;

/// Files besides the program, the pages and the service.
const FILES: [&str; 5] = [
    "etc/default/eventcore-console",
    "usr/share/bash-completion/completions/eventcore",
    "usr/share/doc/eventcore/README.Debian",
    "usr/share/fish/vendor_completions.d/eventcore.fish",
    "usr/share/zsh/vendor-completions/_eventcore",
];

const SERVICE: &str = "eventcore-console.service";

/// Where debhelper puts services: the second since Debian 13.
const UNITS: [&str; 2] = ["lib/systemd/system", "usr/lib/systemd/system"];

/// The most that `systemd-analyze security` may find exposed, of 100.
const EXPOSED: &str = "--threshold=20";

/// Unpacks the package, and uses what is in it.
pub(super) fn try_out(run: &Run<'_>, package: &Path) -> Result<()> {
    let step = run.ui.step("packages: the command, unpacked");
    let root = run.workspace.target.join("xtask/tool");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    fs::create_dir_all(&root)?;
    extract(package, &root)?;
    let told = output(Command::new(root.join("usr/bin/eventcore")).arg("--version"))?;
    let expected = format!("eventcore {}", run.workspace.version);
    ensure!(
        told.trim() == expected,
        "it says {told:?}, not {expected:?}"
    );
    for file in FILES {
        ensure!(root.join(file).is_file(), "the package has no {file}");
    }
    for page in [
        "eventcore",
        "eventcore-console",
        "eventcore-projections-wait",
    ] {
        let file = root.join(format!("usr/share/man/man1/{page}.1.gz"));
        let text = output(
            Command::new("gzip")
                .args(["--decompress", "--stdout"])
                .arg(&file),
        )?;
        ensure!(
            text.contains(".SH SYNOPSIS"),
            "{page} is no page of the manual"
        );
    }
    let units = UNITS.map(|folder| root.join(folder));
    let units = units.iter().find(|it| it.join(SERVICE).is_file());
    let units = units.context("the package has no service")?;
    step.done();
    service(run, &root, units)?;
    fs::remove_dir_all(&root)?;
    Ok(())
}

/// What systemd says of the service, where its programs are installed. systemd need not run.
fn service(run: &Run<'_>, root: &Path, units: &Path) -> Result<()> {
    if !setup::on_path("systemd-analyze") {
        run.ui
            .say("packages: the service is not checked, as there is no systemd-analyze");
        return Ok(());
    }
    let step = run.ui.step("packages: systemd-analyze");
    // Every service requires it, and systemd does not look for its own units outside of `root`.
    fs::write(units.join("sysinit.target"), "[Unit]\n")?;
    let analyze = |arguments: &[&str]| {
        let mut analyze = Command::new("systemd-analyze");
        analyze.arg(format!("--root={}", root.display()));
        step.run(analyze.args(arguments).arg(SERVICE))
    };
    // Otherwise it ends with success after an unknown setting.
    analyze(&["verify", "--man=no", "--recursive-errors=yes"])?;
    analyze(&["security", "--offline=true", EXPOSED])?;
    step.done();
    Ok(())
}
