//! Appends to a store of many events, against appends to an empty one.

use anyhow::{Context, Result};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};

use crate::bench::Bench;
use crate::payload::PAYLOAD;
use crate::single::{CLIENTS, UNIT, one_event};

const DATABASE: &str = "eventcore_bench_full";

/// Events of one append while the store is filled: 100 in each of 1,000 new streams.
const BATCH: u64 = 100_000;

const FILL: &str = r"
SELECT eventcore_append(
    (SELECT array_agg(format('filled-%s-%s', $1::text, n)) FROM generate_series(0, 999) AS n),
    array_fill(0::bigint, '{1000}'),
    array_agg(format('filled-%s-%s', $1::text, event % 1000)),
    array_agg('MoneyMoved'::text),
    array_agg($2::text::jsonb),
    NULL)
FROM generate_series(0, 99999) AS event";

pub(crate) async fn run(bench: &Bench, report: &mut Report, events: u64) -> Result<()> {
    let full = bench.server.fresh_database(DATABASE).await?;
    let batches = events.div_ceil(BATCH);
    fill(&full, batches).await?;
    let empty = bench.database().await?;
    let [append, _] = one_event();
    let among_many = bench.clients(&full, &append, CLIENTS).await?;
    let alone = bench.clients(&empty, &append, CLIENTS).await?;
    let rounds = bench.alternate(among_many, alone).await?;
    report.comparisons.push(Comparison::new(
        format!(
            "1 event, new stream, among {} million events",
            (batches * BATCH) as f64 / 1e6
        ),
        "the same in an empty store",
        CLIENTS,
        UNIT,
        rounds,
        Some(Target::AtLeast(0.9)),
    ));
    bench.server.drop_database(DATABASE).await
}

async fn fill(database: &Database, batches: u64) -> Result<()> {
    let client = database.connect().await?;
    let statement = client.prepare(FILL).await?;
    for batch in 1..=batches {
        let name = batch.to_string();
        client
            .execute(&statement, &[&name, &PAYLOAD])
            .await
            .with_context(|| format!("cannot fill the store with batch {batch}"))?;
        if batch % 10 == 0 {
            eprintln!("    {} of {} events", batch * BATCH, batches * BATCH);
        }
    }
    // Now, rather than by an autovacuum or a checkpoint during the measurement.
    client
        .batch_execute("VACUUM (ANALYZE) eventcore.events")
        .await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}
