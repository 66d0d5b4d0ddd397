//! pgbench: one script run by many clients, for a number of transactions or in slices of time.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::Client;

use crate::database::Database;

/// What every client repeats.
#[derive(Debug, Clone)]
pub struct Script {
    pub sql: &'static str,
    /// Variables that it uses, set before its first run.
    pub variables: Vec<(&'static str, String)>,
    /// A query that returns exactly and immediately how many events it has written.
    pub written: &'static str,
}

/// The clients of one pgbench. They stay connected, and run only in their slices of time.
#[derive(Debug)]
pub struct Clients {
    pgbench: Child,
    pid: Pid,
    counter: Client,
    written: &'static str,
}

/// Until all resumed clients are running.
const SETTLE: Duration = Duration::from_millis(50);

/// Until the server has finished the requests of the stopped clients.
const DRAIN: Duration = Duration::from_millis(30);

impl Clients {
    /// Connects them and runs them for `warm_up`. They end by themselves after `at_most`.
    ///
    /// # Errors
    /// pgbench cannot be run, or the server cannot be reached.
    pub async fn start(
        database: &Database,
        script: &Script,
        clients: u32,
        warm_up: Duration,
        at_most: Duration,
    ) -> Result<Self> {
        let counter = database.connect().await?;
        let mut command = command(database, script, clients)?;
        command.args(["--time", &at_most.as_secs().max(1).to_string()]);
        let mut pgbench = spawn(command, script)?;
        let pid = i32::try_from(pgbench.id()).ok().and_then(Pid::from_raw);
        let Some(pid) = pid else {
            pgbench.kill()?;
            bail!("pgbench has no process id");
        };
        let mut clients = Self {
            pgbench,
            pid,
            counter,
            written: script.written,
        };
        tokio::time::sleep(warm_up).await;
        clients.pause().await?;
        Ok(clients)
    }

    /// Runs them for a while; returns the events per second in the middle of it.
    ///
    /// # Errors
    /// pgbench has ended, as it does when a transaction fails.
    pub async fn rate(&mut self, slice: Duration) -> Result<f64> {
        kill_process(self.pid, Signal::CONT)?;
        tokio::time::sleep(SETTLE).await;
        let (start, before) = (Instant::now(), self.written().await?);
        tokio::time::sleep(slice).await;
        let (time, after) = (start.elapsed(), self.written().await?);
        self.pause().await?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of a benchmark are small"
        )]
        Ok((after - before) as f64 / time.as_secs_f64())
    }

    async fn pause(&mut self) -> Result<()> {
        if let Some(status) = self.pgbench.try_wait()? {
            let mut said = String::new();
            if let Some(errors) = &mut self.pgbench.stderr {
                errors.read_to_string(&mut said)?;
            }
            bail!("pgbench has ended ({status}):\n{said}");
        }
        kill_process(self.pid, Signal::STOP)?;
        tokio::time::sleep(DRAIN).await;
        Ok(())
    }

    async fn written(&self) -> Result<i64> {
        Ok(self
            .counter
            .query_one(self.written, &[])
            .await?
            .try_get(0)?)
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // Also ends a stopped process.
        let _ = self.pgbench.kill();
        let _ = self.pgbench.wait();
    }
}

/// Runs the script `each` times per client.
///
/// # Errors
/// pgbench fails, or a transaction does.
pub fn transactions(database: &Database, script: &Script, clients: u32, each: u32) -> Result<()> {
    let mut command = command(database, script, clients)?;
    command.args(["--transactions", &each.to_string()]);
    let output = spawn(command, script)?.wait_with_output()?;
    let (said, summary) = (
        String::from_utf8_lossy(&output.stderr),
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
    Ok(())
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

fn spawn(mut command: Command, script: &Script) -> Result<Child> {
    let mut pgbench = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run pgbench")?;
    if let Some(mut input) = pgbench.stdin.take() {
        input.write_all(script.sql.as_bytes())?;
    }
    Ok(pgbench)
}
