//! From the commit of an append to a waiting subscriber: one writer that pauses between its
//! appends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use eventcore::{EventSubscription, Filter, PostgresEventStore, Subscribe};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Figure, Report};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const APPENDS: u32 = 1_000;

/// The first ones start the notifier and fill caches.
const WARM_UP: u32 = 50;

/// What the subscriber saw: the number in the stream, and when.
type Seen = (i64, Instant);

/// How a subscriber waits.
#[derive(Clone, Copy)]
enum Way {
    /// The client's subscription: woken by LISTEN, reads a page.
    Client,
    /// `eventcore_poll(wait => …)`, acknowledged before the next.
    Poll,
    /// `CALL eventcore_wait(…)`, and a read after it.
    Wait,
}

pub(crate) async fn run(database: &Database, report: &mut Report) -> Result<()> {
    for (way, name) in [
        (Way::Client, "commit to the client's subscription, 1 writer"),
        (Way::Poll, "commit to eventcore_poll(wait), 1 writer"),
        (Way::Wait, "commit to eventcore_wait and a read, 1 writer"),
    ] {
        let mut delays = measure(database, way).await?;
        delays.sort_unstable();
        for (what, place) in [("median", 0.5), ("p99", 0.99), ("longest", 1.0)] {
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place in a short list"
            )]
            let index = ((delays.len() - 1) as f64 * place) as usize;
            report.figures.push(Figure {
                work: name.to_owned(),
                what: what.to_owned(),
                value: delays[index].as_secs_f64() * 1_000.0,
                unit: "ms",
            });
        }
    }
    Ok(())
}

/// The delay of each event but the first ones.
async fn measure(database: &Database, way: Way) -> Result<Vec<Duration>> {
    let writer = database.connect().await?;
    let stream = format!("latency-{}", way as u8);
    let (seen, mut receiver) = unbounded_channel();
    let subscriber = tokio::spawn(subscribe(database.url()?, way, stream.clone(), seen));
    let append = writer
        .prepare(
            "SELECT FROM eventcore_append(ARRAY[$1], '{NULL}', ARRAY[$1], '{Happened}', '{1}', NULL)",
        )
        .await?;
    let mut committed = Vec::new();
    for number in 0..APPENDS + WARM_UP {
        writer.execute(&append, &[&stream]).await?;
        committed.push(Instant::now());
        // Not in step with anything.
        tokio::time::sleep(Duration::from_micros(
            5_000 + u64::from(number * 7_919 % 6_007),
        ))
        .await;
    }
    let received = receive(&mut receiver, committed.len()).await?;
    subscriber.abort();
    let _aborted = Arc::new(subscriber.await);
    let delays = committed
        .iter()
        .zip(&received)
        .map(|(committed, received)| received.saturating_duration_since(*committed));
    Ok(delays.skip(WARM_UP as usize).collect())
}

/// When the subscriber saw each event, every one exactly once and in order.
async fn receive(receiver: &mut UnboundedReceiver<Seen>, count: usize) -> Result<Vec<Instant>> {
    let mut received = Vec::new();
    while received.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(10), receiver.recv());
        let (version, at) = next.await?.context("the subscriber has ended")?;
        ensure!(version == received.len() as i64 + 1, "not in order");
        received.push(at);
    }
    Ok(received)
}

async fn subscribe(
    url: String,
    way: Way,
    stream: String,
    seen: UnboundedSender<Seen>,
) -> Result<()> {
    match way {
        Way::Client => {
            let store = PostgresEventStore::connect(&url).await?;
            let filter = Filter::all().stream_prefix(stream);
            let mut subscription = store.subscribe(Subscribe::from_start().filter(filter));
            loop {
                let event = subscription.next_event().await?;
                seen.send((event.version.get().try_into()?, Instant::now()))?;
            }
        }
        Way::Poll => {
            let client = connect(&url).await?;
            client
                .execute(
                    "SELECT eventcore_create_subscription('latency', ARRAY[$1])",
                    &[&stream],
                )
                .await?;
            let poll =
                "SELECT lease_id, version FROM eventcore_poll('latency', 'bench', 100, '10 s')";
            let poll = client.prepare(poll).await?;
            let ack = client
                .prepare("SELECT eventcore_ack('latency', $1)")
                .await?;
            loop {
                let rows = client.query(&poll, &[]).await?;
                for row in &rows {
                    seen.send((row.try_get("version")?, Instant::now()))?;
                }
                if let Some(row) = rows.first() {
                    let lease: uuid::Uuid = row.try_get("lease_id")?;
                    client.execute(&ack, &[&lease]).await?;
                }
            }
        }
        Way::Wait => {
            let client = connect(&url).await?;
            let read = "SELECT position, version, stream_id FROM eventcore_read_all($1)";
            let read = client.prepare(read).await?;
            let mut position = 0_i64;
            loop {
                let wait = format!("CALL eventcore_wait({position}, '10 s')");
                client.batch_execute(&wait).await?;
                for row in client.query(&read, &[&position]).await? {
                    position = row.try_get("position")?;
                    if row.try_get::<_, String>("stream_id")? == stream {
                        seen.send((row.try_get("version")?, Instant::now()))?;
                    }
                }
            }
        }
    }
}

async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
