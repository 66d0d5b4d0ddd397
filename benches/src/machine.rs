//! The machine and server that the figures come from.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio_postgres::Client;

/// Settings that a figure depends on.
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
    /// The version of the server, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgresql: Option<String>,
    pub settings: BTreeMap<String, String>,
    /// The time of the run, in UTC.
    pub date: String,
}

impl Machine {
    /// This machine, and the server of that session.
    ///
    /// # Errors
    /// The session is lost, or the number of cores is unknown.
    pub async fn find(client: &Client) -> Result<Self> {
        let row = client
            .query_one("SELECT current_setting('server_version')", &[])
            .await?;
        let settings = client
            .query(
                "SELECT name, current_setting(name) FROM unnest($1::text[]) AS name",
                &[&SETTINGS.as_slice()],
            )
            .await?;
        Ok(Self {
            postgresql: Some(row.try_get(0)?),
            settings: settings
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<_>>()?,
            ..Self::without_server()?
        })
    }

    /// What a plot needs: the cores, the server and the time.
    pub fn summary(&self) -> String {
        let version = self.postgresql.as_ref();
        let server = version.map_or_else(String::new, |one| format!(", PostgreSQL {one}"));
        format!("{} cores{server} · {} UTC", self.cores, self.date)
    }

    /// This machine alone.
    ///
    /// # Errors
    /// The number of cores is unknown, or the clock is before 1970.
    pub fn without_server() -> Result<Self> {
        Ok(Self {
            cores: available_parallelism()
                .context("cannot count the cores")?
                .get(),
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned()),
            memory_mib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
                .map_or(0, |kib| kib / 1024),
            postgresql: None,
            settings: BTreeMap::new(),
            date: minute(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs()),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores ({}), {:.1} GiB of memory",
            self.cores,
            self.cpu,
            self.memory_mib as f64 / 1024.0,
        )?;
        if let Some(version) = &self.postgresql {
            write!(f, ", PostgreSQL {version}")?;
        }
        for (name, value) in &self.settings {
            write!(f, ", {name} {value}")?;
        }
        write!(f, "; {} UTC", self.date)
    }
}

/// Seconds after 1970 as `2026-01-31 23:59`, in UTC.
fn minute(seconds: u64) -> String {
    let (mut day, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(leap(year)) {
        day -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < days {
            break;
        }
        day -= days;
        month += 1;
    }
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year}-{month:02}-{:02} {hour:02}:{minute:02}", day + 1)
}

/// The value of the first line `name: value` in a file of the kernel.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::minute;

    #[test]
    fn a_minute_is_given_as_the_calendar_has_it() {
        assert_eq!(minute(0), "1970-01-01 00:00");
        assert_eq!(minute(951_782_399), "2000-02-28 23:59");
        assert_eq!(minute(951_782_400), "2000-02-29 00:00");
        assert_eq!(minute(1_798_761_599), "2026-12-31 23:59");
    }
}
