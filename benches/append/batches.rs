//! 1,000 events in one call, as arrays with ids, against binary COPY of the same rows. The client's
//! call passes payloads as text, the array form as jsonb.

use std::io::Cursor;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};
use futures_util::SinkExt;
use tokio_postgres::{Client, Statement};

use crate::batch::{Batch, COPY, Streams};
use crate::bench::Bench;
use crate::single::UNIT;

pub(crate) const EVENTS: usize = 1000;

/// How many batches a session writes before it is measured.
const WARM_UP: usize = 5;

const APPEND: &str = "SELECT eventcore_append_compact($1, $2, $3, $4, $5, NULL, $6)";

const ARRAYS: &str = "SELECT * FROM eventcore_append($1, $2, $3, $4, $5, NULL, $6)";

const INSERT: &str = "INSERT INTO bare (position, version, recorded_at, event_id, stream_id, event_type, payload) \
    SELECT nextval('bare_position'), version, clock_timestamp(), event_id, stream_id, event_type, payload \
      FROM unnest($1::text[], $2::text[], $3::jsonb[], $4::uuid[]) \
           WITH ORDINALITY AS event (stream_id, event_type, payload, event_id, version)";

pub(crate) async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let works = [
        (
            "1,000 events, 1 new stream",
            Way::Append,
            Streams::One,
            Some(1.5),
        ),
        (
            "1,000 events, 1,000 new streams",
            Way::Append,
            Streams::OneForEachEvent,
            Some(1.1),
        ),
        (
            "1,000 events, 1 new stream, array form",
            Way::Arrays,
            Streams::One,
            None,
        ),
        (
            "1,000 events, 1,000 new streams, array form",
            Way::Arrays,
            Streams::OneForEachEvent,
            None,
        ),
    ];
    for (work, way, streams, target) in works {
        let database = bench.database().await?;
        let mut append = Session::connect(&database, way).await?;
        let mut copy = Session::connect(&database, Way::Copy).await?;
        append.warm_up(streams).await?;
        copy.warm_up(streams).await?;
        let rounds = bench
            .take_turns(
                async |slice| append.rate(streams, slice).await,
                async |slice| copy.rate(streams, slice).await,
            )
            .await?;
        report.comparisons.push(Comparison::new(
            work,
            "binary COPY",
            1,
            UNIT,
            rounds,
            target.map(Target::AtLeast),
        ));
    }
    Ok(())
}

/// The way in which a batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The client's call.
    Append,
    /// The array form.
    Arrays,
    Copy,
    /// One INSERT of everything, from the same arrays as an append.
    Insert,
}

/// A session that writes batches, each in a transaction of its own.
pub(crate) struct Session {
    pub(crate) client: Client,
    statement: Statement,
    way: Way,
    /// For COPY, which needs positions.
    next_position: i64,
}

impl Session {
    pub(crate) async fn connect(database: &Database, way: Way) -> Result<Self> {
        let client = database.connect().await?;
        let sql = match way {
            Way::Append => APPEND,
            Way::Arrays => ARRAYS,
            Way::Copy => COPY,
            Way::Insert => INSERT,
        };
        let next = "SELECT coalesce(max(position), 0) + 1 FROM bare";
        Ok(Self {
            statement: client.prepare(sql).await?,
            next_position: client.query_one(next, &[]).await?.try_get(0)?,
            client,
            way,
        })
    }

    /// Writes a batch; returns the time from its first byte sent to the server's answer. For COPY
    /// all bytes are made beforehand; an append's arrays are encoded within this time.
    pub(crate) async fn write(&mut self, batch: &Batch) -> Result<Duration> {
        match self.way {
            Way::Append | Way::Arrays => {
                let start = Instant::now();
                self.client
                    .query_one(
                        &self.statement,
                        &[
                            &batch.streams,
                            &batch.expected_versions,
                            &batch.event_streams,
                            &batch.event_types,
                            &batch.payloads,
                            &batch.event_ids,
                        ],
                    )
                    .await?;
                Ok(start.elapsed())
            }
            Way::Insert => {
                let start = Instant::now();
                self.client
                    .execute(
                        &self.statement,
                        &[
                            &batch.event_streams,
                            &batch.event_types,
                            &batch.payloads,
                            &batch.event_ids,
                        ],
                    )
                    .await?;
                Ok(start.elapsed())
            }
            Way::Copy => {
                let data = Cursor::new(batch.copy_data(self.next_position)?);
                let start = Instant::now();
                let mut sink = Box::pin(self.client.copy_in(&self.statement).await?);
                sink.send(data).await?;
                let rows = sink.as_mut().finish().await?;
                let took = start.elapsed();
                ensure!(rows == batch.len() as u64, "COPY wrote {rows} rows");
                self.next_position += i64::try_from(rows)?;
                Ok(took)
            }
        }
    }

    /// Fills the caches of a session that has just been opened.
    pub(crate) async fn warm_up(&mut self, streams: Streams) -> Result<()> {
        for _ in 0..WARM_UP {
            self.write(&Batch::new(EVENTS, streams)).await?;
        }
        Ok(())
    }

    /// Events per second of the time spent writing.
    pub(crate) async fn rate(&mut self, streams: Streams, measured: Duration) -> Result<f64> {
        let (mut events, mut took) = (0, Duration::ZERO);
        while took < measured {
            let batch = Batch::new(EVENTS, streams);
            took += self.write(&batch).await?;
            events += batch.len();
        }
        Ok(events as f64 / took.as_secs_f64())
    }
}
