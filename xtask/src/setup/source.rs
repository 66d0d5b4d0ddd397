//! Which PostgreSQL of this machine is copied.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use eventcore_harness::run;

/// The majors that the extension supports, the newest first.
pub(crate) const MAJORS: [u32; 4] = [18, 17, 16, 15];

/// The environment variable that names another `pg_config` than the machine's newest.
pub(crate) const PG_CONFIG: &str = "EVENTCORE_PG_CONFIG";

/// A PostgreSQL server with headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) major: u32,
    pub(crate) layout: Layout,
}

/// The layout on disk. Either can be copied elsewhere: PostgreSQL finds its files relative to its
/// programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Debian's and Ubuntu's: `/usr/{lib,share,include}/postgresql/<major>`.
    Debian,
    /// One folder with `bin`, `lib`, `share` and `include`.
    OneFolder(PathBuf),
    /// The same, downloaded from PyPI.
    Wheel(PathBuf),
}

impl Source {
    /// Debian's, of this major; it need not exist yet.
    pub(crate) fn debian(major: u32) -> Self {
        Self {
            major,
            layout: Layout::Debian,
        }
    }

    /// The folder with its programs.
    pub(crate) fn bin(&self) -> PathBuf {
        match &self.layout {
            Layout::Debian => PathBuf::from(format!("/usr/lib/postgresql/{}/bin", self.major)),
            Layout::OneFolder(folder) | Layout::Wheel(folder) => folder.join("bin"),
        }
    }

    /// The name of the folder with the copy. A machine that has a PostgreSQL of its own can have one of
    /// the same major from PyPI beside it, for `pg_upgrade`.
    pub(super) fn name(&self) -> String {
        match self.layout {
            Layout::Wheel(_) if Self::debian(self.major).is_there() => {
                format!("{}-pypi", self.major)
            }
            _ => self.major.to_string(),
        }
    }

    /// Whether its server is there, with or without headers.
    pub(crate) fn is_there(&self) -> bool {
        self.bin().join("postgres").is_file()
    }

    /// The one that `EVENTCORE_PG_CONFIG` names, if it is set.
    pub(crate) fn from_env() -> Result<Option<Self>> {
        let Some(pg_config) = env::var_os(PG_CONFIG).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let pg_config = fs::canonicalize(&pg_config)
            .with_context(|| format!("{PG_CONFIG} names {}", pg_config.display()))?;
        let text = run(Command::new(&pg_config).arg("--version"))?;
        let major = parse_major(&text).with_context(|| format!("an unknown version: {text}"))?;
        if !MAJORS.contains(&major) {
            bail!("{PG_CONFIG} names PostgreSQL {major}; eventcore supports 15 to 18");
        }
        let debian = Self::debian(major);
        if pg_config.parent() == Some(&debian.bin()) {
            return Ok(Some(debian));
        }
        let Some(folder) = pg_config
            .parent()
            .and_then(Path::parent)
            .filter(|it| !is_system(it))
        else {
            bail!(
                "{PG_CONFIG} must name a PostgreSQL in a folder of its own, as <folder>/bin/pg_config"
            );
        };
        Ok(Some(Self {
            major,
            layout: Layout::OneFolder(folder.to_owned()),
        }))
    }
}

/// The newest major with a Debian server on this machine, with or without headers.
pub(crate) fn newest_debian() -> Option<u32> {
    MAJORS
        .into_iter()
        .find(|&major| Source::debian(major).is_there())
}

fn is_system(folder: &Path) -> bool {
    ["/", "/usr", "/usr/local"]
        .iter()
        .any(|system| folder == Path::new(system))
}

/// `PostgreSQL 15.20 (Debian …)`, `PostgreSQL 18beta1` → 15, 18.
pub(super) fn parse_major(text: &str) -> Option<u32> {
    let number = text.split_whitespace().nth(1)?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_is_read_from_every_form_of_version() {
        assert_eq!(
            parse_major("PostgreSQL 15.20 (Debian 15.20-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(parse_major("PostgreSQL 18beta1\n"), Some(18));
        assert_eq!(parse_major("something else"), None);
    }

    #[test]
    fn a_folder_shared_with_the_system_is_not_copied() {
        assert!(is_system(Path::new("/usr")));
        assert!(!is_system(Path::new("/usr/local/pgsql")));
    }
}
