//! The memory of a session's process: after many appends, and during a large one.

use std::fs;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Figure, Report, Target};
use eventcore_benches::rounds::Round;
use tokio_postgres::Client;

use crate::batch::{Batch, Streams};
use crate::batches::{Session, Way};
use crate::bench::Bench;

const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// Between two measurements of a working process.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const UNIT: &str = "bytes";

pub(crate) async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    many_appends(bench, report).await?;
    large_append(bench, report).await
}

async fn many_appends(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let mut session = Session::connect(&database, Way::Append).await?;
    // This changes only the duration, not the memory.
    session
        .client
        .batch_execute("SET synchronous_commit = off")
        .await?;
    let process = Process::of(&session.client).await?;
    let mut held = Vec::new();
    for appends in [FEW, MANY - FEW] {
        for _ in 0..appends {
            session.write(&Batch::new(1, Streams::One)).await?;
        }
        held.push(process.anonymous_bytes()?);
    }
    report.comparisons.push(Comparison::new(
        "memory of a session, after 100,000 appends",
        "after 1,000 appends",
        1,
        UNIT,
        vec![Round {
            measured: held[1],
            reference: held[0],
        }],
        // Constant, except for what the allocator rounds up.
        Some(Target::AtMost(1.05)),
    ));
    Ok(())
}

async fn large_append(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let batch = Batch::new(MANY, Streams::One);
    let append = Held::by(&database, Way::Append, &batch).await?;
    let insert = Held::by(&database, Way::Insert, &batch).await?;
    let (added, sent) = (append.peak - append.before, batch.bytes() as f64);
    let figures = [
        ("sent", sent, UNIT),
        ("held before", append.before, UNIT),
        ("held at the peak", append.peak, UNIT),
        ("held after", append.after, UNIT),
        ("added at the peak", added / sent, "times what is sent"),
    ];
    for (what, value, unit) in figures {
        report.figures.push(Figure {
            work: "memory of a session, 1 append of 100,000 events".to_owned(),
            what: what.to_owned(),
            value,
            unit,
        });
    }
    // The server itself needs a part of that to build arrays of parameters, for any function.
    report.comparisons.push(Comparison::new(
        "memory added at the peak, 1 append of 100,000 events",
        "INSERT from the same arrays",
        1,
        UNIT,
        vec![Round {
            measured: added,
            reference: insert.peak - insert.before,
        }],
        None,
    ));
    Ok(())
}

/// The memory of a session around its first large batch.
struct Held {
    before: f64,
    peak: f64,
    after: f64,
}

impl Held {
    async fn by(database: &Database, way: Way, batch: &Batch) -> Result<Self> {
        let mut session = Session::connect(database, way).await?;
        session.write(&Batch::new(1, Streams::One)).await?;
        let process = Process::of(&session.client).await?;
        let before = process.anonymous_bytes()?;
        let (written, peak) = process.peak_during(session.write(batch)).await?;
        written?;
        Ok(Self {
            before,
            peak,
            after: process.anonymous_bytes()?,
        })
    }
}

/// The server process of a session; it must run on this machine.
struct Process {
    status: String,
}

impl Process {
    async fn of(client: &Client) -> Result<Self> {
        let row = client.query_one("SELECT pg_backend_pid()", &[]).await?;
        let pid: i32 = row.try_get(0)?;
        Ok(Self {
            status: format!("/proc/{pid}/status"),
        })
    }

    /// Its private memory: without the memory that all processes share, and without files.
    fn anonymous_bytes(&self) -> Result<f64> {
        let status = fs::read_to_string(&self.status)
            .with_context(|| format!("cannot read {}", self.status))?;
        let kib: Option<u32> = status.lines().find_map(|line| {
            let value = line.strip_prefix("RssAnon:")?.trim();
            value.strip_suffix(" kB")?.parse().ok()
        });
        let kib = kib.with_context(|| format!("{} has no RssAnon", self.status))?;
        Ok(f64::from(kib) * 1024.0)
    }

    /// Runs `work`; returns its result, and the highest memory use meanwhile.
    async fn peak_during<T>(&self, work: impl Future<Output = T>) -> Result<(T, f64)> {
        let mut work = pin!(work);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut peak = 0.0;
        loop {
            tokio::select! {
                result = &mut work => return Ok((result, peak)),
                _ = looks.tick() => peak = self.anonymous_bytes()?.max(peak),
            }
        }
    }
}
