//! Whether calls should share connections when all are in use: the statements of several calls
//! follow each other on one connection without waiting. The alternative waits for a free
//! connection. Compared by rate, and by how long a command takes while others wait for a stream's
//! lock.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report};
use eventcore_benches::rounds;
use eventcore_benches::workers::rate;
use tokio::sync::Semaphore;
use tokio_postgres::Client;

use crate::bare::{Parameters, Session};
use crate::work::{EACH, account};

const POOLS: [usize; 5] = [2, 4, 10, 16, 32];
const WORKERS: [usize; 2] = [16, 64];

/// How long a session repeatedly holds the stream's lock, and how many workers want it.
const LOCKED: Duration = Duration::from_millis(100);
const WHO_WANT_IT: usize = 2;

/// The durations of the commands that do not need the lock.
type Took = Arc<Mutex<Vec<Duration>>>;

/// The connections, and which of them are free.
struct Pool {
    sessions: Vec<Session>,
    /// The number of calls in progress on each; used only when they are shared.
    busy: Vec<AtomicUsize>,
    free: Mutex<Vec<usize>>,
    permits: Semaphore,
}

/// What a call does when all connections are in use.
#[derive(Clone, Copy)]
enum When {
    Waits,
    Shares,
}

/// The owner of the stream.
#[derive(Clone, Copy, PartialEq)]
enum Stream {
    Own,
    Locked,
}

pub(crate) async fn run(
    database: &Database,
    report: &mut Report,
    count: usize,
    slice: Duration,
) -> Result<()> {
    for workers in WORKERS {
        for size in POOLS.into_iter().filter(|size| *size < workers) {
            let pool = Arc::new(Pool::connect(database, size).await?);
            let rate = async |when| {
                let took = Took::default();
                let worker =
                    |_, end| worker(Arc::clone(&pool), when, Stream::Own, end, took.clone());
                Ok(rate(workers, slice, worker).await?.commands)
            };
            let _warm = (rate(When::Shares).await?, rate(When::Waits).await?);
            let rounds = rounds::alternate(
                count,
                async |_| rate(When::Shares).await,
                async |_| rate(When::Waits).await,
            )
            .await?;
            report.comparisons.push(Comparison::new(
                format!("{size} connections, shared"),
                "waiting for a free one",
                u32::try_from(workers)?,
                "commands/s",
                rounds,
                None,
            ));
        }
    }
    for workers in WORKERS {
        let pool = Arc::new(Pool::connect(database, 10).await?);
        let p99 = async |when| beside_a_lock(database, &pool, when, workers, slice).await;
        let rounds = rounds::alternate(
            count,
            async |_| p99(When::Shares).await,
            async |_| p99(When::Waits).await,
        )
        .await?;
        report.comparisons.push(Comparison::new(
            "10 connections, shared, 1 stream locked: p99 of the others",
            "waiting for a free one",
            u32::try_from(workers)?,
            "ms",
            rounds,
            None,
        ));
    }
    Ok(())
}

/// The time in ms within which 99 of 100 commands finish that do not want the locked stream.
async fn beside_a_lock(
    database: &Database,
    pool: &Arc<Pool>,
    when: When,
    workers: usize,
    slice: Duration,
) -> Result<f64> {
    let took = Took::default();
    let locker = tokio::spawn(lock(database.connect().await?, Instant::now() + slice));
    rate(workers, slice, |number, end| {
        let stream = if number < WHO_WANT_IT {
            Stream::Locked
        } else {
            Stream::Own
        };
        worker(Arc::clone(pool), when, stream, end, took.clone())
    })
    .await?;
    locker.await??;
    let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
    took.sort_unstable();
    let p99 = took.get(took.len() * 99 / 100).context("no command")?;
    Ok(p99.as_secs_f64() * 1e3)
}

/// Holds the lock until `end`, with pauses in which others get it.
async fn lock(client: Client, end: Instant) -> Result<()> {
    let append =
        "BEGIN; SELECT FROM eventcore_append('{locked}', '{NULL}', '{locked}', '{A}', '{1}', NULL)";
    while Instant::now() < end {
        client.batch_execute(append).await?;
        tokio::time::sleep(LOCKED).await;
        client.batch_execute("COMMIT").await?;
        tokio::time::sleep(LOCKED / 20).await;
    }
    Ok(())
}

async fn worker(
    pool: Arc<Pool>,
    when: When,
    stream: Stream,
    end: Instant,
    took: Took,
) -> Result<u64> {
    let (same, mut done) = (Parameters::new(), 0);
    loop {
        let account = account();
        for _ in 0..EACH {
            let start = Instant::now();
            if start >= end {
                return Ok(done);
            }
            if stream == Stream::Locked {
                pool.run(when, async |session| {
                    session.append("locked", None, &same).await
                })
                .await?;
                continue;
            }
            let version = pool
                .run(when, async |session| session.read(&account).await)
                .await?;
            pool.run(when, async |session| {
                session.append(&account, Some(version), &same).await
            })
            .await?;
            done += 1;
            let mut took = took.lock().unwrap_or_else(PoisonError::into_inner);
            took.push(start.elapsed());
        }
    }
}

impl Pool {
    async fn connect(database: &Database, size: usize) -> Result<Self> {
        let mut sessions = Vec::new();
        for _ in 0..size {
            sessions.push(Session::prepare(database.connect().await?).await?);
        }
        Ok(Self {
            sessions,
            busy: (0..size).map(|_| AtomicUsize::new(0)).collect(),
            free: Mutex::new((0..size).collect()),
            permits: Semaphore::new(size),
        })
    }

    async fn run<T>(&self, when: When, call: impl AsyncFnOnce(&Session) -> Result<T>) -> Result<T> {
        match when {
            When::Waits => {
                let _permit = self.permits.acquire().await?;
                let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
                let number = free().pop().context("as many as permits")?;
                let done = call(&self.sessions[number]).await;
                free().push(number);
                done
            }
            When::Shares => {
                let calls = |number: &usize| self.busy[*number].load(Relaxed);
                let number = (0..self.sessions.len())
                    .min_by_key(calls)
                    .context("no connection")?;
                self.busy[number].fetch_add(1, Relaxed);
                let done = call(&self.sessions[number]).await;
                self.busy[number].fetch_sub(1, Relaxed);
                done
            }
        }
    }
}
