//! The program of `benches/peers`, which measures another event store.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::seconds;

/// The program.
pub(crate) struct Driver(PathBuf);

/// What it measures, repeatedly.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    One,
    Two,
    Transfer,
    Batch,
}

/// The part of its output that is used here.
#[derive(Deserialize)]
struct Measured {
    seconds: f64,
    operations: f64,
    events: f64,
    failed: u64,
}

impl Driver {
    pub(crate) fn new(program: PathBuf) -> Self {
        Self(program)
    }

    /// Events per second of UmaDB.
    pub(super) fn umadb(&self, url: &str, work: Work, clients: u32, time: Duration) -> Result<f64> {
        let measured = self.run("umadb", url, work, clients, time)?;
        Ok(measured.events / measured.seconds)
    }

    /// Commands per second of eventcore-postgres.
    pub(super) fn eventcore_postgres(
        &self,
        url: &str,
        work: Work,
        clients: u32,
        time: Duration,
    ) -> Result<f64> {
        let measured = self.run("eventcore-postgres", url, work, clients, time)?;
        Ok(measured.operations / measured.seconds)
    }

    fn run(
        &self,
        peer: &str,
        url: &str,
        work: Work,
        clients: u32,
        time: Duration,
    ) -> Result<Measured> {
        let work = match work {
            Work::One => "one",
            Work::Two => "two",
            Work::Transfer => "transfer",
            Work::Batch => "batch",
        };
        let output = Command::new(&self.0)
            .args([peer, "--url", url, "--work", work])
            .args(["--clients", &clients.to_string()])
            .args(["--seconds", &seconds(time)])
            .output()
            .with_context(|| format!("cannot run {}", self.0.display()))?;
        ensure!(
            output.status.success(),
            "{peer}, work {work}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let measured: Measured = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("what {peer} printed is not what its README says"))?;
        if measured.failed > 0 {
            eprintln!(
                "    {peer}, {work}: {} given up after retries",
                measured.failed
            );
        }
        Ok(measured)
    }
}
