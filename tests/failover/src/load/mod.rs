//! The load during the faults: writers that repeat unanswered appends, a reader on each node and
//! one that HAProxy sends to any standby, a consumer of a durable subscription, and a projection
//! inside the server.

mod consumer;
mod projection;
mod reader;
mod session;
mod writer;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::cluster::{Cluster, connect};
use crate::deliveries::Step;
use crate::haproxy::HaProxy;
use crate::history::{Acknowledged, Event, Log, Origin, Violation};
use crate::network::NODES;
use crate::random::Random;

use consumer::Consumer;
use reader::Reader;
pub(crate) use reader::Told;
use writer::Writer;

pub(crate) const DATABASE: &str = "eventcore";
/// Appends and reads; no superuser.
const ROLE: &str = "app";
const WRITERS: u32 = 4;
/// Until the last reader has read the writers' last events.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// The running load.
pub(crate) struct Load {
    shared: Arc<Shared>,
    writers: Vec<JoinHandle<Vec<Acknowledged>>>,
    readers: Vec<JoinHandle<(Log, Vec<Told>)>>,
    consumer: JoinHandle<Vec<Step>>,
}

/// All observations.
pub(crate) struct Outcome {
    pub(crate) history: Vec<Event>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    pub(crate) logs: Vec<Log>,
    pub(crate) consumed: Vec<Step>,
    /// The rows that the projection has written.
    pub(crate) projected: BTreeSet<i64>,
    /// Each SE011, in the order of readers.
    pub(crate) told: Vec<Told>,
    /// What only the load itself can observe.
    pub(crate) violations: Vec<Violation>,
    pub(crate) longest_pause: Duration,
    pub(crate) counts: Counts,
}

/// How often each of these happened to writers.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    /// Commits whose wait for standbys was cancelled.
    pub(crate) unconfirmed: u64,
    pub(crate) repeated: u64,
    pub(crate) errors: u64,
    pub(crate) conflicts: u64,
    /// Conflicts with a former primary.
    pub(crate) stale: u64,
}

/// What writers and readers share.
struct Shared {
    writers_stop: AtomicBool,
    /// Readers end when they have read up to this position.
    end: AtomicI64,
    /// The positions of all events, once the last has been written.
    all: OnceLock<Vec<i64>>,
    readers_stop: AtomicBool,
    progress: Mutex<Progress>,
}

struct Progress {
    last: Instant,
    longest_pause: Duration,
    acknowledged: u64,
    counts: Counts,
    violations: Vec<Violation>,
}

impl Load {
    /// Creates the database and starts writers and readers.
    pub(crate) async fn start(cluster: &Cluster, proxy: &HaProxy, seed: u64) -> Result<Self> {
        prepare(cluster).await?;
        let shared = Arc::new(Shared {
            writers_stop: AtomicBool::new(false),
            end: AtomicI64::new(i64::MAX),
            all: OnceLock::new(),
            readers_stop: AtomicBool::new(false),
            progress: Mutex::new(Progress {
                last: Instant::now(),
                longest_pause: Duration::ZERO,
                acknowledged: 0,
                counts: Counts::default(),
                violations: Vec::new(),
            }),
        });
        let writers = (1..=WRITERS).map(|number| {
            // The last one through HAProxy, the others with a URL with three hosts.
            let config = if number == WRITERS {
                proxy.primary(cluster, ROLE, DATABASE)
            } else {
                cluster.read_write(ROLE, DATABASE)
            };
            let random = Random::new(seed, number.into());
            tokio::spawn(Writer::new(number, config, random, Arc::clone(&shared)).run())
        });
        let on_nodes = (0..NODES).map(|node| {
            let name = format!("reader on {}", cluster.name(node));
            (name, cluster.on(node, ROLE, DATABASE))
        });
        let by_proxy = (
            "reader by HAProxy".to_owned(),
            proxy.standbys(cluster, ROLE, DATABASE),
        );
        let readers = on_nodes.chain([by_proxy]).map(|(name, config)| {
            tokio::spawn(Reader::new(name, config, Arc::clone(&shared)).run())
        });
        let consumer = Consumer::new(cluster.read_write(ROLE, DATABASE), Arc::clone(&shared));
        Ok(Self {
            consumer: tokio::spawn(consumer.run()),
            writers: writers.collect(),
            readers: readers.collect(),
            shared,
        })
    }

    /// How many appends have been acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.progress(|progress| progress.acknowledged)
    }

    /// Ends the writers, lets the readers read the rest, and reads the history from the leader.
    pub(crate) async fn finish(self, cluster: &Cluster) -> Result<Outcome> {
        self.shared.writers_stop.store(true, Relaxed);
        let mut acknowledged = Vec::new();
        for writer in self.writers {
            acknowledged.extend(writer.await?);
        }
        let leader = cluster.leader().await.context("no node leads")?;
        let client = connect(&cluster.superuser_on(leader, DATABASE)).await?;
        let history = history(&client).await?;
        let end = history.last().map_or(0, |event| event.position);
        let all = history.iter().map(|event| event.position).collect();
        let _ = self.shared.all.set(all);
        self.shared.end.store(end, Relaxed);
        let deadline = tokio::time::sleep(DRAIN_LIMIT);
        let all_read = async {
            let mut done = Vec::new();
            for reader in self.readers {
                done.push(reader.await?);
            }
            Ok::<_, anyhow::Error>((done, self.consumer.await?))
        };
        tokio::pin!(deadline, all_read);
        let (readers, consumed) = tokio::select! {
            done = &mut all_read => done?,
            () = &mut deadline => {
                self.shared.readers_stop.store(true, Relaxed);
                all_read.await?
            }
        };
        let (logs, told): (Vec<_>, Vec<_>) = readers.into_iter().unzip();
        let (projected, of_projection) =
            projection::finish(&client, history.len(), DRAIN_LIMIT).await?;
        let (longest_pause, counts, mut violations) = self.shared.progress(|progress| {
            let violations = std::mem::take(&mut progress.violations);
            (progress.longest_pause, progress.counts, violations)
        });
        violations.extend(of_projection);
        for log in logs.iter().filter(|log| !log.complete) {
            let last = log.seen.last().map_or(0, |seen| seen.position);
            violations.push(Violation::Other(format!(
                "late: {} is at {last} of {end} after {} s",
                log.reader,
                DRAIN_LIMIT.as_secs()
            )));
        }
        Ok(Outcome {
            history,
            acknowledged,
            logs,
            consumed,
            projected,
            told: told.into_iter().flatten().collect(),
            violations,
            longest_pause,
            counts,
        })
    }
}

impl Shared {
    fn progress<T>(&self, with: impl FnOnce(&mut Progress) -> T) -> T {
        with(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn acknowledge(&self) {
        self.progress(|progress| {
            let now = Instant::now();
            progress.longest_pause = progress.longest_pause.max(now - progress.last);
            progress.last = now;
            progress.acknowledged += 1;
        });
    }

    fn count(&self, with: impl FnOnce(&mut Counts)) {
        self.progress(|progress| with(&mut progress.counts));
    }

    fn violation(&self, violation: String) {
        self.progress(|progress| progress.violations.push(Violation::Other(violation)));
    }
}

async fn prepare(cluster: &Cluster) -> Result<()> {
    let leader = cluster.leader().await.context("no node leads")?;
    let client = connect(&cluster.superuser_on(leader, "postgres")).await?;
    client
        .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
        .await?;
    let client = connect(&cluster.superuser_on(leader, DATABASE)).await?;
    client
        .batch_execute(&format!(
            "CREATE EXTENSION eventcore;
             CREATE ROLE {ROLE} LOGIN PASSWORD '{}';
             GRANT eventcore_reader, eventcore_writer, eventcore_subscriber, eventcore_projector TO {ROLE};
             CREATE SCHEMA app AUTHORIZATION {ROLE};",
            cluster.password()
        ))
        .await?;
    let client = connect(&cluster.on(leader, ROLE, DATABASE)).await?;
    client.batch_execute(consumer::CREATE).await?;
    client.batch_execute(projection::CREATE).await?;
    Ok(())
}

/// All events, straight from the table.
async fn history(client: &Client) -> Result<Vec<Event>> {
    let rows = client
        .query(
            "SELECT position, event_id, stream_id, version, payload FROM eventcore.events ORDER BY position",
            &[],
        )
        .await?;
    rows.iter().map(event).collect()
}

fn event(row: &Row) -> Result<Event> {
    let id: Uuid = row.get("event_id");
    let payload: serde_json::Value = row.get("payload");
    let number = |name: &str| {
        let value = payload[name]
            .as_u64()
            .and_then(|value| u32::try_from(value).ok());
        value.with_context(|| format!("event {id} is not of a writer: {payload}"))
    };
    Ok(Event {
        position: row.get("position"),
        id,
        stream: row.get("stream_id"),
        version: row.get("version"),
        origin: Origin {
            writer: number("writer")?,
            append: number("append")?,
            index: number("index")?,
            of: number("of")?,
        },
    })
}
