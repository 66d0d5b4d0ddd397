//! The files of the package `eventcore`: the command, its pages of the manual, and what makes shells
//! complete it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use eventcore_harness::run;

use super::notice;
use crate::step::Ui;
use crate::workspace::Workspace;

/// The package, and the program in it.
pub(super) const PACKAGE: &str = "eventcore";

/// What debhelper gets for this package, and where it is in `packaging/debian`.
pub(super) const DEBIAN: [(&str, &str); 4] = [
    ("README.Debian", "tool/README.Debian"),
    (
        "eventcore-console.default",
        "tool/eventcore-console.default",
    ),
    (
        "eventcore-console.service",
        "tool/eventcore-console.service",
    ),
    ("lintian-overrides", "lintian-overrides"),
];

const CRATE: [&str; 2] = ["--package", "eventcore-cli"];

/// Where each shell looks for completions.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/eventcore"),
    ("zsh", "usr/share/zsh/vendor-completions/_eventcore"),
    ("fish", "usr/share/fish/vendor_completions.d/eventcore.fish"),
];

/// How the command is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As a release is.
    Release,
    /// As tests of other parts need it anyway: for what is asked of the package, not of its speed.
    Dev,
}

/// Builds the command, and puts the files where the package has them.
pub(super) fn stage(
    workspace: &Workspace,
    ui: &Ui,
    profile: Profile,
    sources: &Path,
) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--locked"]).args(CRATE);
    let folder = match profile {
        Profile::Release => {
            cargo.arg("--release");
            "release"
        }
        Profile::Dev => "debug",
    };
    ui.run("packages: the command eventcore", &mut cargo)?;
    let program = workspace.target.join(folder).join(PACKAGE);
    let root = sources.join("root").join(PACKAGE);
    let programs = root.join("usr/bin");
    fs::create_dir_all(&programs)?;
    fs::copy(&program, programs.join(PACKAGE))
        .with_context(|| format!("cannot copy {}", program.display()))?;
    for (shell, file) in COMPLETIONS {
        let script = run(Command::new(&program).args(["completions", shell]))?;
        super::write(&root.join(file), &script)?;
    }
    let pages = root.join("usr/share/man/man1");
    run(Command::new(&program).arg("man").arg(&pages))?;
    notice::write(workspace, &root, PACKAGE, |cargo| {
        cargo.args(CRATE);
    })
}
