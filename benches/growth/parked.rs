//! Polls of a subscription that has parked or delayed events, what it takes to discard one, and the
//! view that counts them.

use std::time::Instant;

use anyhow::{Result, ensure};
use eventcore_benches::database::{Database, Server};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::Growth;
use crate::ladder::Rung;
use crate::store::repeat;
use crate::writers::rate;

const SIZES: [u64; 4] = [0, 2_000, 20_000, 200_000];

/// The polls of a turn, of 100 events each: so the events suffice.
const POLLS: u32 = 40;

/// 1,000 streams of 10 events. The last of the 1,000 are those that are polled again and again.
const APPEND: &str = r#"
SELECT eventcore_append(
    (SELECT array_agg('s-' || $1::bigint * 1000 + n) FROM generate_series(0, 999) AS n),
    array_fill(0::bigint, '{1000}'),
    array_agg('s-' || $1::bigint * 1000 + event % 1000),
    array_fill('Moved'::text, '{10000}'),
    array_fill('{"n": 1}'::jsonb, '{10000}'),
    NULL)
FROM generate_series(0, 9999) AS event"#;

/// Subscriptions that have read the first $1 events, and have parked or delayed all of them. Made by
/// hand, as polls and nacks would have made them, because those would take minutes.
const PREPARE: &str = "
SELECT eventcore_create_subscription(name, start_from => SIZE::text, lease => '1 h', on_parked => on_parked)
  FROM (VALUES ('parked', 'continue'), ('stopped', 'stop'), ('delayed', 'continue')) w (name, on_parked);
INSERT INTO eventcore.parked (subscription_id, position, version, attempts, stream_id, reason)
SELECT s.id, e.position, e.version, 6, e.stream_id, 'does not work'
  FROM eventcore.events e, eventcore.subscriptions s
 WHERE e.position <= SIZE AND s.name IN ('parked', 'stopped');
INSERT INTO eventcore.backlogs (subscription_id, stream_id, due)
SELECT DISTINCT s.id, e.stream_id, timestamptz 'infinity'
  FROM eventcore.events e, eventcore.subscriptions s
 WHERE e.position <= SIZE AND s.name = 'stopped';
INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id, not_before, failures, failed_at)
SELECT s.id, e.position, e.version, e.stream_id, now() + interval '1 day', 1, now()
  FROM eventcore.events e, eventcore.subscriptions s
 WHERE e.position <= SIZE AND s.name = 'delayed';
INSERT INTO eventcore.backlogs (subscription_id, stream_id, due, returned_position, delayed_at)
SELECT s.id, e.stream_id, now() + interval '1 day', min(e.position), now()
  FROM eventcore.events e, eventcore.subscriptions s
 WHERE e.position <= SIZE AND s.name = 'delayed'
 GROUP BY s.id, e.stream_id";

struct Store {
    client: Client,
    poll: Statement,
    ack: Statement,
    discard: Statement,
    /// The next parked event to discard.
    next: i64,
}

pub(crate) async fn run(server: &Server, growth: &mut Growth) -> Result<()> {
    let mut stores = Vec::new();
    for size in SIZES {
        let database = server.fresh_database(&format!("growth_{size}")).await?;
        stores.push(prepare(&database, size, growth.rounds).await?);
    }
    for (name, growing, target) in [
        ("parked", "parked events", Some(0.8)),
        ("stopped", "parked events, their streams stopped", Some(0.8)),
        ("delayed", "delayed events", Some(0.8)),
    ] {
        let rung = rung("poll of 100 and ack", growing, "polls/s", target);
        growth
            .climb(&rung, &SIZES, async |at| polls(&stores[at], name).await)
            .await?;
    }
    let rung = rung(
        "discard of 1 parked event, its stream stopped",
        "parked events",
        "calls/s",
        None,
    );
    // So few that the fewest events suffice for all turns and their warm-up.
    let calls = u32::try_from(SIZES[1])? / (2 * u32::try_from(growth.rounds)? + 2);
    growth
        .climb(&rung, &SIZES[1..], async |at| {
            discards(&mut stores[at + 1], calls).await
        })
        .await?;
    let slice = growth.slice;
    let rung = self::rung(
        "SELECT * FROM eventcore.stat_subscriptions",
        "parked events twice, delayed once",
        "reads/s",
        None,
    );
    growth
        .climb(&rung, &SIZES, async |at| {
            rate(slice, async || {
                let view = "SELECT * FROM eventcore.stat_subscriptions";
                stores[at].client.query(view, &[]).await?;
                Ok(())
            })
            .await
        })
        .await?;
    drop(stores);
    for size in SIZES {
        server.drop_database(&format!("growth_{size}")).await?;
    }
    Ok(())
}

fn rung(
    work: &'static str,
    growing: &'static str,
    counted: &'static str,
    target: Option<f64>,
) -> Rung {
    Rung {
        work,
        growing,
        clients: 1,
        counted,
        target,
    }
}

async fn prepare(database: &Database, size: u64, rounds: usize) -> Result<Store> {
    let polled = u64::try_from(rounds)? * u64::from(POLLS) * 100;
    repeat(database, APPEND, (size + polled).div_ceil(10_000) + 1).await?;
    let client = database.connect().await?;
    client
        .batch_execute(&PREPARE.replace("SIZE", &size.to_string()))
        .await?;
    client.batch_execute("VACUUM (ANALYZE)").await?;
    client.batch_execute("CHECKPOINT").await?;
    let poll = "SELECT lease_id, stream_id, version FROM eventcore_poll($1, 'bench', 100)";
    Ok(Store {
        poll: client.prepare(poll).await?,
        ack: client.prepare("SELECT eventcore_ack($1, $2)").await?,
        discard: client
            .prepare("SELECT eventcore_discard_parked('stopped', ARRAY[$1::bigint])")
            .await?,
        client,
        next: 1,
    })
}

/// Polls of new events a second, each with its acknowledgement.
async fn polls(store: &Store, name: &str) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..POLLS {
        let rows = store.client.query(&store.poll, &[&name]).await?;
        ensure!(rows.len() == 100, "a poll of {name} got {}", rows.len());
        let lease: Uuid = rows[0].try_get(0)?;
        store.client.execute(&store.ack, &[&name, &lease]).await?;
    }
    Ok(f64::from(POLLS) / start.elapsed().as_secs_f64())
}

/// Discards of one parked event after another, a second.
async fn discards(store: &mut Store, calls: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..calls {
        store.client.execute(&store.discard, &[&store.next]).await?;
        store.next += 1;
    }
    Ok(f64::from(calls) / start.elapsed().as_secs_f64())
}
