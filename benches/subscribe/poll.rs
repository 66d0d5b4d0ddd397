//! What polls and acknowledgements cost: consumers of one subscription that do nothing with its
//! events, against the same with the functions of release 0.1.0.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use eventcore_benches::database::{Database, Server};
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

const CONSUMERS: usize = 4;

/// How many events a consumer requests at once.
const BATCH: i64 = 100;

/// Many more than are leased at a time, as with accounts or orders.
const STREAMS: u32 = 20_000;

/// More than the consumers handle in the time.
const EVENTS: u32 = 400_000;

const SLICE: Duration = Duration::from_secs(3);

pub(crate) async fn run(
    server: &Server,
    database: &Database,
    report: &mut Report,
    count: usize,
) -> Result<()> {
    let before = server.database_of_release("bench_before", "0.1.0").await?;
    fill(database).await?;
    fill(&before).await?;
    let rounds = rounds::alternate(
        count,
        async |round| rate(database, round).await,
        async |round| rate(&before, round).await,
    )
    .await?;
    server.drop_database("bench_before").await?;
    report.comparisons.push(Comparison::new(
        "4 consumers, polls of 100 and an acknowledgement of each",
        "the functions of 0.1.0",
        u32::try_from(CONSUMERS)?,
        "events/s",
        rounds,
        Some(Target::AtLeast(1.5)),
    ));
    Ok(())
}

async fn fill(database: &Database) -> Result<()> {
    let payload = crate::read::PAYLOAD;
    database
        .execute(&format!(
            "DO $$ DECLARE names text[]; BEGIN FOR n IN 1 .. {EVENTS} / 1000 LOOP
                 names := ARRAY(SELECT 'account-' || (n * 1000 + k)::bigint * 7919 % {STREAMS}
                                  FROM generate_series(1, 1000) k);
                 PERFORM eventcore_append(names, array_fill(NULL::bigint, '{{1000}}'), names,
                     array_fill('MoneyMoved'::text, '{{1000}}'), array_fill('{payload}'::jsonb, '{{1000}}'), NULL);
                 COMMIT;
             END LOOP; END $$"
        ))
        .await?;
    database.execute("VACUUM ANALYZE eventcore.events").await
}

/// Events per second, on a subscription that starts from the beginning.
async fn rate(database: &Database, round: usize) -> Result<f64> {
    let name = format!("poll-{round}");
    let client = database.connect().await?;
    client
        .execute("SELECT eventcore_create_subscription($1)", &[&name])
        .await?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..CONSUMERS {
        let client = database.connect().await?;
        tasks.spawn(consume(client, name.clone(), start + SLICE));
    }
    let mut events = 0;
    while let Some(handled) = tasks.join_next().await {
        events += handled??;
    }
    let rate = f64::from(events) / start.elapsed().as_secs_f64();
    ensure!(events < EVENTS, "all {EVENTS} events were handled too soon");
    client
        .execute("SELECT eventcore_drop_subscription($1)", &[&name])
        .await?;
    Ok(rate)
}

async fn consume(client: Client, name: String, until: Instant) -> Result<u32> {
    let poll = client
        .prepare("SELECT * FROM eventcore_poll($1, 'bench', $2, '1 s')")
        .await?;
    let ack = client.prepare("SELECT eventcore_ack($1, $2)").await?;
    let mut handled = 0;
    while Instant::now() < until {
        let rows = client.query(&poll, &[&name, &BATCH]).await?;
        if let Some(row) = rows.first() {
            let lease: Uuid = row.try_get("lease_id")?;
            let acknowledged: i64 = client.query_one(&ack, &[&name, &lease]).await?.try_get(0)?;
            ensure!(
                acknowledged == i64::try_from(rows.len())?,
                "not all were acknowledged"
            );
            handled += u32::try_from(rows.len())?;
        }
    }
    Ok(handled)
}
