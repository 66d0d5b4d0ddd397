//! What the figures were measured on.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

/// Settings without which a figure says little.
const SETTINGS: [&str; 6] = [
    "fsync",
    "full_page_writes",
    "max_wal_size",
    "shared_buffers",
    "synchronous_commit",
    "wal_level",
];

/// The machine and the server of a run. Displays as one line.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub cores: usize,
    pub cpu: String,
    pub memory_mib: u64,
    pub postgresql: String,
    pub settings: BTreeMap<String, String>,
    /// Of the run, in UTC.
    pub date: String,
}

impl Machine {
    /// This machine, and the server of that session.
    ///
    /// # Errors
    /// The session is lost, or the machine does not tell how many cores it has.
    pub async fn find(client: &Client) -> Result<Self> {
        let row = client
            .query_one(
                "SELECT current_setting('server_version'), \
                        to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')",
                &[],
            )
            .await?;
        let settings = client
            .query(
                "SELECT name, current_setting(name) FROM unnest($1::text[]) AS name",
                &[&SETTINGS.as_slice()],
            )
            .await?;
        Ok(Self {
            cores: available_parallelism()
                .context("cannot count the cores")?
                .get(),
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned()),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            postgresql: row.try_get(0)?,
            settings: settings
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_>>()?,
            date: row.try_get(1)?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores ({}), {:.1} GiB of memory, PostgreSQL {}",
            self.cores,
            self.cpu,
            self.memory_mib as f64 / 1024.0,
            self.postgresql
        )?;
        for (name, value) in &self.settings {
            write!(f, ", {name} {value}")?;
        }
        write!(f, "; {} UTC", self.date)
    }
}

/// The first line `name: value` of a file of the kernel's.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}
