//! Bytes on disk, and bytes of write-ahead log, of the same events written by append and by INSERT.

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::{self, Script};
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds::Round;
use tokio_postgres::Client;

use crate::batch::{Batch, Streams};
use crate::batches::{EVENTS, Session, Way};
use crate::bench::Bench;
use crate::single::{CLIENTS, one_event};

/// Appends and INSERTs of one event: 100,000 in all.
const EACH: u32 = 6250;
/// Batches: 100,000 events in all.
const BATCHES: usize = 100;

pub(crate) async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    one_row(bench, report).await?;
    batch(bench, report).await
}

async fn one_row(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let [append, insert] = one_event();
    let events = f64::from(CLIENTS * EACH);
    let wal = async |script: &Script| {
        wal_of(&database, async || {
            pgbench::transactions(&database, script, CLIENTS, EACH)
        })
        .await
    };
    let wal = Round {
        measured: wal(&append).await? / events,
        reference: wal(&insert).await? / events,
    };
    let disk = sizes(&database, events).await?;
    let mut push = |work, round, target| {
        report.comparisons.push(Comparison::new(
            work,
            "INSERT of 1 row",
            CLIENTS,
            "bytes/event",
            vec![round],
            Some(Target::AtMost(target)),
        ));
    };
    push("disk, 100,000 appends of 1 event", disk, 0.9);
    push("WAL, 100,000 appends of 1 event", wal, 1.0);
    Ok(())
}

async fn batch(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let events = (BATCHES * EVENTS) as f64;
    let wal = async |way| {
        wal_of(&database, async || {
            let mut session = Session::connect(&database, way).await?;
            for _ in 0..BATCHES {
                session.write(&Batch::new(EVENTS, Streams::One)).await?;
            }
            Ok(())
        })
        .await
    };
    let wal = Round {
        measured: wal(Way::Append).await? / events,
        reference: wal(Way::Copy).await? / events,
    };
    let disk = sizes(&database, events).await?;
    let mut push = |work, round, target| {
        report.comparisons.push(Comparison::new(
            work,
            "binary COPY",
            1,
            "bytes/event",
            vec![round],
            Some(Target::AtMost(target)),
        ));
    };
    push("disk, 100 appends of 1,000 events", disk, 0.9);
    push("WAL, 100 appends of 1,000 events", wal, 0.8);
    Ok(())
}

/// What `work` adds to the log of the whole server, right after a checkpoint. The first change of a
/// page after a checkpoint logs the whole page; with new tables there are few such pages.
async fn wal_of(database: &Database, work: impl AsyncFnOnce() -> Result<()>) -> Result<f64> {
    let client = database.connect().await?;
    client.batch_execute("CHECKPOINT").await?;
    let before = wal_position(&client).await?;
    work().await?;
    Ok((wal_position(&client).await? - before) as f64)
}

async fn wal_position(client: &Client) -> Result<i64> {
    let sql = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint";
    Ok(client.query_one(sql, &[]).await?.try_get(0)?)
}

/// Of both tables, with their indexes and their out-of-line storage.
async fn sizes(database: &Database, events: f64) -> Result<Round> {
    let sql = "SELECT pg_total_relation_size('eventcore.events'), pg_total_relation_size('bare')";
    let row = database.connect().await?.query_one(sql, &[]).await?;
    let (measured, reference): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Round {
        measured: measured as f64 / events,
        reference: reference as f64 / events,
    })
}
