//! Consumers that share a subscription, each working 5 ms on an event, against a single one. Each
//! stream's events must come in their order, whichever consumer gets them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

const CONSUMERS: usize = 4;
const STREAMS: u32 = 100;
const WORK: Duration = Duration::from_millis(5);
const SLICE: Duration = Duration::from_secs(3);

/// How many events a consumer requests at once.
const BATCH: i64 = 20;

/// The last version of each stream that a consumer has worked on.
type Done = Arc<Mutex<HashMap<String, i64>>>;

pub(crate) async fn run(database: &Database, report: &mut Report, count: usize) -> Result<()> {
    let done = Done::default();
    let rounds = rounds::alternate(
        count.min(5),
        async |round| rate(database, CONSUMERS, round, &done).await,
        async |round| rate(database, 1, round, &done).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        "4 consumers share a subscription, 5 ms of work",
        "1 consumer",
        u32::try_from(CONSUMERS)?,
        "events/s",
        rounds,
        Some(Target::AtLeast(2.0)),
    ));
    Ok(())
}

/// Events per second, on a subscription that starts from the beginning.
async fn rate(database: &Database, consumers: usize, round: usize, done: &Done) -> Result<f64> {
    let name = format!("share-{consumers}-{round}");
    let client = database.connect().await?;
    client
        .execute(
            "SELECT eventcore_create_subscription($1, ARRAY[$1 || '-'])",
            &[&name],
        )
        .await?;
    fill(&client, &name).await?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..consumers {
        let client = database.connect().await?;
        tasks.spawn(consume(
            client,
            name.clone(),
            number,
            start + SLICE,
            Arc::clone(done),
        ));
    }
    let mut events = 0;
    while let Some(handled) = tasks.join_next().await {
        events += handled??;
    }
    Ok(f64::from(events) / start.elapsed().as_secs_f64())
}

/// More events than the consumers can handle in the time.
async fn fill(client: &Client, name: &str) -> Result<()> {
    for _ in 0..40 {
        client
            .execute(
                "SELECT count(*) FROM generate_series(1, $2::integer) n,
                     eventcore_append(ARRAY[$1 || '-' || n], '{NULL}', ARRAY[$1 || '-' || n], '{A}', '{1}', NULL)",
                &[&name, &i32::try_from(STREAMS)?],
            )
            .await?;
    }
    Ok(())
}

async fn consume(
    client: Client,
    name: String,
    number: usize,
    until: Instant,
    done: Done,
) -> Result<u32> {
    let poll = "SELECT lease_id, stream_id, version FROM eventcore_poll($1, $2, $3, '1 s')";
    let poll = client.prepare(poll).await?;
    let ack = client.prepare("SELECT eventcore_ack($1, $2)").await?;
    let consumer = number.to_string();
    let mut handled = 0;
    while Instant::now() < until {
        let rows = client.query(&poll, &[&name, &consumer, &BATCH]).await?;
        for row in &rows {
            let (stream, version): (String, i64) = (row.try_get(1)?, row.try_get(2)?);
            {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                let last = done.entry(stream.clone()).or_default();
                ensure!(version == *last + 1, "{stream}: {version} after {last}");
                *last = version;
            }
            tokio::time::sleep(WORK).await;
            handled += 1;
        }
        if let Some(row) = rows.first() {
            client
                .execute(&ack, &[&name, &row.try_get::<_, Uuid>(0)?])
                .await?;
        }
    }
    Ok(handled)
}
