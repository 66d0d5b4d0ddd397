//! A PostgreSQL that code is compiled against.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use eventcore_harness::run;

use super::source::parse_major;

/// A PostgreSQL with headers, known by its `pg_config`.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    pub(crate) major: u32,
    pg_config: PathBuf,
}

impl Headers {
    /// Those of the PostgreSQL that this `pg_config` describes.
    pub(crate) fn of(pg_config: &Path) -> Result<Self> {
        let version = run(Command::new(pg_config).arg("--version"))?;
        let Some(major) = parse_major(&version) else {
            bail!(
                "{} names an unknown version: {version}",
                pg_config.display()
            );
        };
        Ok(Self {
            major,
            pg_config: pg_config.to_owned(),
        })
    }

    /// Makes a cargo command that builds the extension compile it against these headers.
    pub(crate) fn prepare(&self, cargo: &mut Command) {
        cargo
            .env("PGRX_PG_CONFIG_PATH", &self.pg_config)
            .args(["--package", "eventcore-extension", "--no-default-features"])
            .args(["--features", &format!("pg{}", self.major)]);
    }

    /// The program that describes this PostgreSQL.
    pub(crate) fn pg_config(&self) -> &Path {
        &self.pg_config
    }

    /// A folder of this PostgreSQL, by the option of `pg_config` that prints it.
    pub(crate) fn folder(&self, option: &str) -> Result<PathBuf> {
        let path = run(Command::new(&self.pg_config).arg(option))
            .with_context(|| format!("cannot run {}", self.pg_config.display()))?;
        Ok(PathBuf::from(path.trim()))
    }
}
