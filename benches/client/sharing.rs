//! Whether calls should share connections when all are in use: the statements of several follow each
//! other on one connection without a wait in between. Against calls that wait for one to themselves.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report};
use eventcore_benches::rounds;
use tokio::sync::Semaphore;

use crate::bare::{Parameters, Session};
use crate::work::{EACH, account, rate};

const POOLS: [usize; 4] = [2, 4, 10, 16];
const WORKERS: [usize; 2] = [16, 64];

/// Connections, and which are free.
struct Pool {
    sessions: Vec<Session>,
    /// How many calls are under way on each; only of use when they are shared.
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

pub(crate) async fn run(
    database: &Database,
    report: &mut Report,
    count: usize,
    slice: Duration,
) -> Result<()> {
    for workers in WORKERS {
        for size in POOLS.into_iter().filter(|size| *size < workers) {
            let pool = Arc::new(Pool::connect(database, size).await?);
            let run = |when| {
                rate(workers, slice, move |_, end| {
                    worker(Arc::clone(&pool), when, end)
                })
            };
            let (shares, waits) = (|| run.clone()(When::Shares), || run.clone()(When::Waits));
            let _warm = (shares().await?, waits().await?);
            let rounds = rounds::alternate(
                count,
                async |_| Ok(shares().await?.commands),
                async |_| Ok(waits().await?.commands),
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
    Ok(())
}

async fn worker(pool: Arc<Pool>, when: When, end: Instant) -> Result<u64> {
    let (same, mut done) = (Parameters::new(), 0);
    loop {
        let account = account();
        for _ in 0..EACH {
            if Instant::now() >= end {
                return Ok(done);
            }
            let version = pool
                .run(when, async |session| session.read(&account).await)
                .await?;
            pool.run(when, async |session| {
                session.append(&account, version, &same).await
            })
            .await?;
            done += 1;
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
