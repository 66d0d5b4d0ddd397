//! cargo-pgrx: installing it, initialising it for one PostgreSQL, and calling it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::tool;
use crate::step::Ui;
use crate::workspace::Workspace;

/// Must be the version of the crate `pgrx` in `extension/Cargo.toml`.
const VERSION: &str = "0.18.1";

/// cargo-pgrx with a home of its own, in which it knows exactly one PostgreSQL.
///
/// Development builds and release builds have a home each, since each is built against another copy
/// of PostgreSQL: the test build is installed into a copy that nothing else uses.
#[derive(Debug)]
pub(crate) struct Pgrx {
    program: PathBuf,
    home: PathBuf,
    pub(crate) pg_config: PathBuf,
    pub(crate) feature: String,
}

impl Pgrx {
    /// Installs and initialises what is missing.
    pub(crate) fn ensure(
        workspace: &Workspace,
        ui: &Ui,
        major: u32,
        prefix: &Path,
        suffix: &str,
    ) -> Result<Self> {
        let pgrx = Self {
            program: tool::install(workspace, ui, "cargo-pgrx", VERSION)?,
            home: workspace.target.join(format!("pgrx/{major}{suffix}")),
            pg_config: prefix.join("bin/pg_config"),
            feature: format!("pg{major}"),
        };
        // Only when needed: pgrx rebuilds everything when this file is written.
        let config = fs::read_to_string(pgrx.home.join("config.toml")).unwrap_or_default();
        if !config.contains(&*pgrx.pg_config.to_string_lossy()) {
            fs::create_dir_all(&pgrx.home)
                .with_context(|| format!("cannot make {}", pgrx.home.display()))?;
            let mut init = pgrx.command(workspace, "init");
            init.arg(format!("--{}={}", pgrx.feature, pgrx.pg_config.display()));
            ui.run(&format!("cargo pgrx init {major}{suffix}"), &mut init)?;
        }
        Ok(pgrx)
    }

    /// `cargo pgrx <subcommand>`, in the repository's root.
    pub(crate) fn command(&self, workspace: &Workspace, subcommand: &str) -> Command {
        // Called by its path: `cargo pgrx` would prefer one in the user's ~/.cargo/bin.
        let mut command = Command::new(&self.program);
        workspace.prepare(&mut command);
        self.prepare(&mut command);
        command.args(["pgrx", subcommand]);
        command
    }

    /// Makes any cargo command build the extension against this PostgreSQL.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .env("PGRX_HOME", &self.home)
            .env("CARGO_PGRX", &self.program);
        if cfg!(target_arch = "x86_64") {
            // cargo-pgrx adds a linker flag when it builds the library and none when it builds the
            // tests, so that all dependencies are built twice. Only other machines need the flag.
            command.env("CARGO_PGRX_DISABLE_GC_SECTIONS_WORKAROUND", "1");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_pgrx_is_of_the_version_that_the_extension_is_built_with() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifest = fs::read_to_string(root.join("extension/Cargo.toml")).unwrap();
        for name in ["pgrx", "pgrx-tests"] {
            let pinned = format!("{name} = {{ version = \"={VERSION}\"");
            let found = manifest.lines().any(|line| line.starts_with(&pinned));
            assert!(found, "no {pinned:?} in\n{manifest}");
        }
    }
}
