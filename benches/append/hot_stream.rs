//! Many clients append to one stream, each at the version that it saw last: how many appends
//! succeed, and how many conflict.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventcore_benches::report::{Figure, Report};
use eventcore_benches::rounds::Spread;
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Statement};

use crate::batch::Json;
use crate::bench::Bench;
use crate::payload::PAYLOAD;

const CLIENTS: usize = 16;
const CONFLICT: &str = "SE001";

const APPEND: &str = "SELECT versions[1] FROM \
    eventcore_append(ARRAY['hot'], ARRAY[$1::bigint], ARRAY['hot'], ARRAY['MoneyMoved'], ARRAY[$2::jsonb], NULL)";

pub(crate) async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let mut writers = try_join_all((0..CLIENTS).map(async |_| {
        let client = database.connect().await?;
        let statement = client.prepare(APPEND).await?;
        anyhow::Ok(Writer {
            client,
            statement,
            seen: 0,
        })
    }))
    .await?;
    slice(&mut writers, Duration::from_secs(1)).await?;
    let (mut appended, mut conflicts) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let rates = slice(&mut writers, bench.measured).await?;
        appended.push(rates.appended);
        conflicts.push(rates.conflicts);
    }
    for (what, rates) in [("appended", appended), ("conflicts, SE001", conflicts)] {
        report.figures.push(Figure {
            work: format!("1 event, one hot stream, exact version, {CLIENTS} clients"),
            what: what.to_owned(),
            value: Spread::of(rates).median,
            unit: "1/s",
        });
    }
    Ok(())
}

/// Per second.
struct Rates {
    appended: f64,
    conflicts: f64,
}

async fn slice(writers: &mut [Writer], time: Duration) -> Result<Rates> {
    let start = Instant::now();
    let all = writers.iter_mut().map(|writer| writer.run(start + time));
    let counts = try_join_all(all).await?;
    let seconds = start.elapsed().as_secs_f64();
    let total = |count: fn(&Counts) -> u32| f64::from(counts.iter().map(count).sum::<u32>());
    Ok(Rates {
        appended: total(|counts| counts.appended) / seconds,
        conflicts: total(|counts| counts.conflicts) / seconds,
    })
}

struct Writer {
    client: Client,
    statement: Statement,
    /// The version after its last append, or the one that its last conflict reported.
    seen: i64,
}

#[derive(Default)]
struct Counts {
    appended: u32,
    conflicts: u32,
}

impl Writer {
    async fn run(&mut self, end: Instant) -> Result<Counts> {
        let mut counts = Counts::default();
        while Instant::now() < end {
            let answer = self
                .client
                .query_one(&self.statement, &[&self.seen, &Json(PAYLOAD)])
                .await;
            match answer {
                Ok(row) => {
                    self.seen = row.try_get(0)?;
                    counts.appended += 1;
                }
                Err(error) => {
                    let conflict = error.as_db_error().and_then(version_of_conflict);
                    self.seen = conflict.with_context(|| format!("append failed: {error}"))?;
                    counts.conflicts += 1;
                }
            }
        }
        Ok(counts)
    }
}

/// The stream's version, from a conflict.
fn version_of_conflict(error: &DbError) -> Option<i64> {
    if error.code().code() != CONFLICT {
        return None;
    }
    let detail: Value = serde_json::from_str(error.detail()?).ok()?;
    detail.pointer("/conflicts/0/actual")?.as_i64()
}
