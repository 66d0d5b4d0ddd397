//! The command line.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::{fmt, fs};

use clap::{Parser, ValueEnum};

use crate::failure::Failure;

/// The committed file, part of the program so that it runs from anywhere.
pub(crate) const COMMITTED_FILE: &str = include_str!("../transfers.csv");

/// Moves money between 200 accounts, atomically, with concurrent workers and a subscriber that
/// watches; then checks that every cent and every event is where it should be.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub(crate) struct Arguments {
    /// Where the events go [default: postgres with a URL, memory without]
    #[arg(long, value_enum)]
    store: Option<StoreKind>,
    /// The database, where `CREATE EXTENSION eventcore` was run: postgresql://user@host/database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    url: Option<String>,
    /// The transfers, lines of `from,to,cents` [default: 10,000 that come with the program]
    #[arg(long, value_name = "FILE")]
    transfers: Option<PathBuf>,
    /// How many transfers are executed at a time
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) workers: NonZeroUsize,
    /// Write 10,000 transfers made from this seed to the standard output, and do nothing else
    #[arg(long, value_name = "SEED")]
    pub(crate) generate: Option<u64>,
    /// The command that starts psql on the database, for the text at the end
    #[arg(long, value_name = "COMMAND")]
    pub(crate) psql_hint: Option<String>,
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    Postgres,
    Memory,
}

/// The store to use.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    /// With its URL.
    Postgres(String),
}

impl Arguments {
    /// The store that was asked for.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        match (self.store, &self.url) {
            (Some(StoreKind::Memory), _) | (None, None) => Ok(Store::Memory),
            (_, Some(url)) => Ok(Store::Postgres(url.clone())),
            (Some(StoreKind::Postgres), None) => Err(Failure::NoUrl),
        }
    }

    /// The text of the file of transfers.
    pub(crate) fn transfers(&self) -> Result<Cow<'static, str>, Failure> {
        match &self.transfers {
            None => Ok(Cow::Borrowed(COMMITTED_FILE)),
            Some(path) => fs::read_to_string(path)
                .map(Cow::Owned)
                .map_err(|error| Failure::File(path.clone(), error)),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Memory => "in memory",
            Self::Postgres(_) => "on PostgreSQL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_url_means_postgres_and_no_url_means_memory_unless_told_otherwise() {
        let store = |kind, url: Option<&str>| {
            let mut arguments = Arguments::parse_from(["banking"]);
            arguments.store = kind;
            arguments.url = url.map(str::to_owned);
            arguments.store()
        };
        let url = "postgresql:///bank";
        let postgres = Store::Postgres(url.to_owned());
        assert!(store(None, None).is_ok_and(|store| store == Store::Memory));
        assert!(store(None, Some(url)).is_ok_and(|store| store == postgres));
        assert!(
            store(Some(StoreKind::Memory), Some(url)).is_ok_and(|store| store == Store::Memory)
        );
        assert!(store(Some(StoreKind::Postgres), Some(url)).is_ok_and(|store| store == postgres));
        assert!(matches!(
            store(Some(StoreKind::Postgres), None),
            Err(Failure::NoUrl)
        ));
    }
}
