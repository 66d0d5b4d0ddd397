//! Where things are, and how cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The folders that everything else is found from.
#[derive(Debug, Clone)]
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The version of the extension and of all crates.
    pub(crate) version: String,
    /// cargo's target folder: `CARGO_TARGET_DIR`, or `target` in the root.
    pub(crate) target: PathBuf,
    /// Tools that xtask installs for itself, one folder per version, shared by all clones. The
    /// user's own tools are never replaced.
    pub(crate) tools: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .parent()
            .context("xtask is not in a workspace")?
            .to_owned();
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
            Some(folder) => env::current_dir()?.join(folder),
            None => root.join("target"),
        };
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".cache")))
            .unwrap_or_else(|| target.clone());
        Ok(Self {
            root,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            target,
            tools: cache.join("eventcore"),
        })
    }

    /// `cargo` in the root, with this target folder.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        self.prepare(&mut command);
        command
    }

    /// The folder of one version of a tool.
    pub(crate) fn tool(&self, name: &str, version: &str) -> PathBuf {
        self.tools.join(format!("{name}-{version}"))
    }

    /// Gives `command` the environment of the user's shell, without what `cargo run` adds for xtask
    /// itself.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        let of_xtask = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        for (name, _) in env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| of_xtask.iter().any(|own| name.starts_with(own)))
            {
                command.env_remove(name);
            }
        }
        // Only those who build the extension say which PostgreSQL they build against.
        command
            .env_remove("PGRX_PG_CONFIG_PATH")
            .env_remove("PGRX_PG_CONFIG_AS_ENV");
    }
}

/// An environment variable that holds an absolute path.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}
