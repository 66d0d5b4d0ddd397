//! pgbench: one script by many clients, for a time or a number of transactions.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::database::Database;

/// What every client does again and again.
#[derive(Debug, Clone)]
pub struct Script {
    pub sql: &'static str,
    /// Variables that it uses, set before its first run.
    pub variables: Vec<(&'static str, String)>,
}

/// How long a slice lasts.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// Not counted: every backend fills its caches and prepares its statements.
    pub warm_up: Duration,
    pub measured: Duration,
}

/// Transactions per second after the warm-up.
///
/// # Errors
/// pgbench fails, or a transaction does.
pub fn rate(database: &Database, script: &Script, clients: u32, slice: Slice) -> Result<f64> {
    let seconds = (slice.warm_up + slice.measured).as_secs().to_string();
    let mut command = command(database, script, clients)?;
    command.args(["--time", &seconds, "--progress", "1"]);
    let reports = run(command, script)?;
    rate_after(slice.warm_up, &reports)
        .with_context(|| format!("pgbench reported no progress after its warm-up:\n{reports}"))
}

/// Runs the script `each` times for every client.
///
/// # Errors
/// pgbench fails, or a transaction does.
pub fn transactions(database: &Database, script: &Script, clients: u32, each: u32) -> Result<()> {
    let mut command = command(database, script, clients)?;
    command.args(["--transactions", &each.to_string()]);
    run(command, script).map(|_| ())
}

fn command(database: &Database, script: &Script, clients: u32) -> Result<Command> {
    let mut command = database.command("pgbench")?;
    command.args(["--no-vacuum", "--protocol=prepared", "--file=-"]);
    command.args(["--client", &clients.to_string()]);
    command.args(["--jobs", &clients.min(2).to_string()]);
    for (name, value) in &script.variables {
        command.arg(format!("--define={name}={value}"));
    }
    Ok(command)
}

/// Runs pgbench to its end; what it said on standard error.
fn run(mut command: Command, script: &Script) -> Result<String> {
    let mut pgbench = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run pgbench")?;
    if let Some(mut input) = pgbench.stdin.take() {
        input.write_all(script.sql.as_bytes())?;
    }
    let output = pgbench.wait_with_output()?;
    let (said, summary) = (
        String::from_utf8_lossy(&output.stderr).into_owned(),
        String::from_utf8_lossy(&output.stdout),
    );
    if !output.status.success() {
        bail!("pgbench failed ({}):\n{said}{summary}", output.status);
    }
    let failed = summary
        .lines()
        .find_map(|line| line.strip_prefix("number of failed transactions: "));
    // Before PostgreSQL 15 there is no such line: a failure ended pgbench.
    ensure!(
        failed.is_none_or(|failed| failed.starts_with("0 ")),
        "transactions of pgbench failed:\n{summary}"
    );
    Ok(said)
}

/// From lines like `progress: 2.0 s, 5123.4 tps, lat …`, each about the time since the one before.
fn rate_after(warm_up: Duration, reports: &str) -> Option<f64> {
    let (mut before, mut seconds, mut transactions) = (0.0, 0.0, 0.0);
    for line in reports.lines() {
        let Some((now, rate)) = progress(line) else {
            continue;
        };
        // A report may come a little early.
        if before >= warm_up.as_secs_f64() - 0.1 {
            seconds += now - before;
            transactions += rate * (now - before);
        }
        before = now;
    }
    (seconds > 0.0).then(|| transactions / seconds)
}

fn progress(line: &str) -> Option<(f64, f64)> {
    let (now, rest) = line.strip_prefix("progress: ")?.split_once(" s, ")?;
    let (rate, _) = rest.split_once(" tps")?;
    Some((now.parse().ok()?, rate.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_in_the_warm_up_does_not_count() {
        let reports = "pgbench (15.9)\n\
                       progress: 1.0 s, 10.0 tps, lat 1.5 ms stddev 0.4, 0 failed\n\
                       progress: 2.0 s, 100.0 tps, lat 1.5 ms stddev 0.4, 0 failed\n\
                       progress: 4.0 s, 400.0 tps, lat 1.5 ms stddev 0.4, 0 failed\n";
        assert_eq!(rate_after(Duration::from_secs(1), reports), Some(300.0));
        assert_eq!(rate_after(Duration::from_secs(4), reports), None);
    }
}
