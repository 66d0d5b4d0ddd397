//! The command line.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::{env, fmt, fs};

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
    /// [default: DATABASE_URL in the environment]
    #[arg(long)]
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
    /// Only find out whether this command line and its file can be used
    #[arg(long, hide = true)]
    pub(crate) check: bool,
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
    /// The store to use.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        self.store_in(env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()))
    }

    /// Like [`store`](Self::store), with this URL from the environment. Any argument overrides the
    /// URL.
    fn store_in(&self, environment: Option<String>) -> Result<Store, Failure> {
        match (self.store, self.url.clone()) {
            (Some(StoreKind::Memory), None) => Ok(Store::Memory),
            (Some(StoreKind::Memory), Some(_)) => Err(Failure::UrlInMemory),
            (kind, url) => match (kind, url.or(environment)) {
                (_, Some(url)) => Ok(Store::Postgres(url)),
                (Some(_), None) => Err(Failure::NoUrl),
                (None, None) => Ok(Store::Memory),
            },
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
        let store = |line: &str, environment: Option<&str>| {
            let words = line.split_whitespace();
            let arguments = Arguments::parse_from(["banking"].into_iter().chain(words));
            arguments.store_in(environment.map(str::to_owned)).ok()
        };
        let postgres = |url: &str| Some(Store::Postgres(url.to_owned()));
        for (line, environment, expected) in [
            ("", None, Some(Store::Memory)),
            ("", Some("there"), postgres("there")),
            ("--url here", Some("there"), postgres("here")),
            ("--url here --store postgres", None, postgres("here")),
            ("--store postgres", Some("there"), postgres("there")),
            ("--store postgres", None, None),
            ("--store memory", Some("there"), Some(Store::Memory)),
            ("--store memory --url here", None, None),
        ] {
            assert!(
                store(line, environment) == expected,
                "{line:?} {environment:?}"
            );
        }
    }
}
