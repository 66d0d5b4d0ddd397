//! Where PostgreSQL's programs are.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::account::Account;
use crate::error::{Error, Result};

/// The environment variable that names the folder with `postgres`, `initdb`, `psql`, …
pub const PG_BIN: &str = "EVENTCORE_PG_BIN";

/// The environment variable that names such a folder for each of several majors, the oldest first,
/// as a list of paths.
pub const PG_MAJORS: &str = "EVENTCORE_PG_MAJORS";

/// The environment variable that names a folder for freshly made clusters to copy from, one for each
/// version of PostgreSQL. The server's user can write to it.
pub const PG_CACHE: &str = "EVENTCORE_PG_CACHE";

/// The folder with PostgreSQL's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Those that `cargo xtask` has prepared and named in `EVENTCORE_PG_BIN`.
    ///
    /// # Errors
    /// The variable is not set or names no PostgreSQL server.
    pub fn from_env() -> Result<Self> {
        match env::var_os(PG_BIN) {
            Some(folder) => Self::new(folder),
            None => Err(Error::new(format!(
                "{PG_BIN} is not set, so there is no PostgreSQL to start: run `cargo xtask test`, \
                 which prepares one, or set it to the folder with `postgres` and `initdb`"
            ))),
        }
    }

    /// Those of every major in `EVENTCORE_PG_MAJORS`, the oldest first; without it, only
    /// [`from_env`](Self::from_env).
    ///
    /// # Errors
    /// No variable is set, or one of them names no PostgreSQL server.
    pub fn of_all_majors() -> Result<Vec<Self>> {
        match env::var_os(PG_MAJORS) {
            Some(folders) => env::split_paths(&folders).map(Self::new).collect(),
            None => Ok(vec![Self::from_env()?]),
        }
    }

    /// Those in `folder`.
    ///
    /// # Errors
    /// There is no `postgres` in it.
    pub fn new(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        if folder.join("postgres").is_file() {
            Ok(Self { folder })
        } else {
            Err(Error::new(format!(
                "there is no PostgreSQL server in {}",
                folder.display()
            )))
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs one of the programs as the caller, without the caller's own PostgreSQL
    /// settings (`PGHOST`, `PGDATA`, …).
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        // A backtrace would land in the DETAIL of the server's errors.
        command
            .env_remove("RUST_BACKTRACE")
            .env_remove("RUST_LIB_BACKTRACE");
        command
    }

    /// A command that runs one of the programs as the user for servers.
    ///
    /// The current folder becomes `/`, since the caller's may be closed to that user.
    pub fn command_as(&self, account: &Account, program: &str) -> Command {
        let mut command = self.command(program);
        command.current_dir("/");
        account.apply(&mut command);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_server_is_refused_by_name() {
        let error = Binaries::new("/no/such/folder").unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
