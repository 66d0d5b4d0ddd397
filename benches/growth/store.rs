//! Stores of several sizes beside each other: events, and streams.

use anyhow::{Context, Result};
use eventcore_benches::database::{Database, Server};
use eventcore_benches::pgbench::Clients;
use tokio_postgres::{Client, Statement};

use crate::Growth;
use crate::ladder::Rung;
use crate::writers::{WRITERS, existing_streams, new_streams, rate};

const STREAMS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Of one append while a store is filled.
const BATCH: u64 = 100_000;

/// Small events, 100 in each of 1,000 new streams, so that many fit on the disk.
const FILL: &str = r#"
SELECT eventcore_append(
    (SELECT array_agg(format('full-%s-%s', $1::bigint, n)) FROM generate_series(0, 999) AS n),
    array_fill(0::bigint, '{1000}'),
    array_agg(format('full-%s-%s', $1::bigint, event % 1000)),
    array_fill('Moved'::text, '{100000}'),
    array_fill('{"n": 1}'::jsonb, '{100000}'),
    NULL)
FROM generate_series(0, 99999) AS event"#;

/// 1,000 streams of one event each.
const CREATE_STREAMS: &str = r#"
SELECT eventcore_append(array_agg(s), array_fill(0::bigint, '{1000}'), array_agg(s),
    array_fill('Opened'::text, '{1000}'), array_fill('{"n": 1}'::jsonb, '{1000}'), NULL)
FROM (SELECT 'filled-' || $1::bigint * 1000 + n AS s FROM generate_series(0, 999) AS n) AS streams"#;

/// Ten streams, far from each other.
const VERSIONS: &str = "
    SELECT count(*) FROM eventcore_stream_versions((
        SELECT array_agg('filled-' || (first + n * ($1::bigint / 10)) % $1::bigint)
          FROM generate_series(0, 9) n, (SELECT floor(random() * $1::bigint)::bigint AS first) one))";

pub(crate) async fn events(server: &Server, growth: &mut Growth) -> Result<()> {
    let largest = growth.events.next_multiple_of(BATCH);
    let sizes = [0, largest / 100, largest / 10, largest];
    let mut sizes = sizes.map(|size| size.next_multiple_of(BATCH)).to_vec();
    sizes.dedup();
    let mut writers = Vec::new();
    for size in &sizes {
        let database = server.fresh_database(&format!("growth_{size}")).await?;
        repeat(&database, FILL, *size / BATCH).await?;
        writers.push(growth.writers(&database, &new_streams()).await?);
    }
    let rung = Rung {
        work: "1 event, new stream",
        growing: "events",
        clients: WRITERS,
        counted: "appends/s",
        target: Some(0.95),
    };
    let slice = growth.slice;
    growth
        .climb(&rung, &sizes, async |at| writers[at].rate(slice).await)
        .await?;
    drop(writers);
    for size in &sizes {
        server.drop_database(&format!("growth_{size}")).await?;
    }
    Ok(())
}

/// A store with a number of streams.
struct Streams {
    writers: Clients,
    reader: Client,
    versions: Statement,
}

pub(crate) async fn streams(server: &Server, growth: &mut Growth) -> Result<()> {
    let mut stores = Vec::new();
    for size in STREAMS {
        let database = server.fresh_database(&format!("growth_{size}")).await?;
        repeat(&database, CREATE_STREAMS, size / 1000).await?;
        let reader = database.connect().await?;
        stores.push(Streams {
            writers: growth.writers(&database, &existing_streams(size)).await?,
            versions: reader.prepare(VERSIONS).await?,
            reader,
        });
    }
    let rung = |work, clients, counted| Rung {
        work,
        growing: "streams",
        clients,
        counted,
        target: None,
    };
    let slice = growth.slice;
    let append = rung("1 event, existing stream", WRITERS, "appends/s");
    growth
        .climb(&append, &STREAMS, async |at| {
            stores[at].writers.rate(slice).await
        })
        .await?;
    let versions = rung("eventcore_stream_versions of 10 streams", 1, "calls/s");
    growth
        .climb(&versions, &STREAMS, async |at| {
            let size = i64::try_from(STREAMS[at])?;
            let store = &stores[at];
            rate(slice, async || {
                store.reader.query_one(&store.versions, &[&size]).await?;
                Ok(())
            })
            .await
        })
        .await?;
    drop(stores);
    for size in STREAMS {
        server.drop_database(&format!("growth_{size}")).await?;
    }
    Ok(())
}

/// Runs a statement with the numbers from 0 on, and tidies up: now, rather than while it is measured.
pub(crate) async fn repeat(database: &Database, statement: &str, times: u64) -> Result<()> {
    let client = database.connect().await?;
    let statement = client.prepare(statement).await?;
    for number in 0..i64::try_from(times)? {
        client
            .execute(&statement, &[&number])
            .await
            .with_context(|| format!("cannot fill the store, part {number}"))?;
    }
    client.batch_execute("VACUUM (ANALYZE)").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(())
}
