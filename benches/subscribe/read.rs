//! Following 1 million events with the client, against one plain SELECT with the same driver and
//! the same decoding.

use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use eventcore::{
    EventSubscription, Metadata, Payload, Position, PostgresEventStore, RecordedEvent, Subscribe,
};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use futures_util::{StreamExt, pin_mut};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

const EVENTS: u32 = 1_000_000;

/// How many the client requests at once.
const PAGE: u32 = 1_000;

/// About 120 bytes.
pub(crate) const PAYLOAD: &str = r#"{"amount": 12345, "from": "account-000123", "to": "account-000456", "reference": "invoice 2026-11-0001"}"#;

const SELECT: &str = "\
SELECT position, stream_id, version, event_id, event_type, payload, metadata, correlation_id,
       causation_id, recorded_at
  FROM eventcore.events ORDER BY position";

pub(crate) async fn run(database: &Database, report: &mut Report, count: usize) -> Result<()> {
    let client = database.connect().await?;
    fill(&client).await?;
    let store = PostgresEventStore::connect(&database.url()?).await?;
    let rounds = rounds::alternate(
        count.min(5),
        async |_| rate(by_client(&store)).await,
        async |_| rate(by_select(&client)).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        "1,000,000 events by the client's subscription, pages of 1,000",
        "one SELECT … ORDER BY position",
        1,
        "events/s",
        rounds,
        Some(Target::AtLeast(0.8)),
    ));
    Ok(())
}

async fn fill(client: &Client) -> Result<()> {
    let fill = format!(
        "DO $$ BEGIN FOR n IN 1 .. {EVENTS} / 1000 LOOP
             PERFORM eventcore_append(ARRAY['account-' || n], '{{0}}',
                 array_fill('account-' || n, '{{1000}}'), array_fill('MoneyMoved'::text, '{{1000}}'),
                 array_fill('{PAYLOAD}'::jsonb, '{{1000}}'), NULL);
             COMMIT;
         END LOOP; END $$"
    );
    client.batch_execute(&fill).await?;
    client
        .batch_execute("VACUUM ANALYZE eventcore.events")
        .await?;
    Ok(())
}

/// Events a second.
async fn rate(read: impl Future<Output = Result<u32>>) -> Result<f64> {
    let start = Instant::now();
    let events = read.await?;
    ensure!(events == EVENTS, "{events} were read");
    Ok(f64::from(events) / start.elapsed().as_secs_f64())
}

async fn by_client(store: &PostgresEventStore) -> Result<u32> {
    let mut subscription = store.subscribe(Subscribe::from_start().page(PAGE));
    let mut last = Position::START;
    for _ in 0..EVENTS {
        let event = subscription.next_event().await?;
        ensure!(event.position > last, "not in order");
        last = event.position;
    }
    Ok(EVENTS)
}

async fn by_select(client: &Client) -> Result<u32> {
    let rows = client.query_raw(SELECT, Vec::<i32>::new()).await?;
    pin_mut!(rows);
    let (mut count, mut last) = (0, Position::START);
    while let Some(row) = rows.next().await {
        let event = decode(&row?)?;
        ensure!(event.position > last, "not in order");
        last = event.position;
        count += 1;
    }
    Ok(count)
}

/// As the client does.
fn decode(row: &Row) -> Result<RecordedEvent> {
    let unsigned = |value: i64| u64::try_from(value).context("a negative number");
    Ok(RecordedEvent {
        position: Position::new(unsigned(row.try_get(0)?)?),
        stream_id: row.try_get::<_, String>(1)?.parse()?,
        version: unsigned(row.try_get(2)?)?.into(),
        event_id: row.try_get::<_, Uuid>(3)?.into(),
        event_type: row.try_get::<_, String>(4)?.parse()?,
        payload: row.try_get(5)?,
        metadata: row
            .try_get::<_, Option<Payload>>(6)?
            .map(Metadata::try_from)
            .transpose()?,
        correlation_id: row.try_get::<_, Option<Uuid>>(7)?.map(Into::into),
        causation_id: row.try_get::<_, Option<Uuid>>(8)?.map(Into::into),
        recorded_at: row.try_get::<_, SystemTime>(9)?,
    })
}
