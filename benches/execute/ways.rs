//! The ways to transfer money, and workers that use one of them until the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use eventcore::{PostgresEventStore, StreamId, execute};
use eventcore_benches::database::Database;
use eventcore_benches::report::Figure;
use eventcore_benches::workers::rate;
use serde_json::json;
use tokio_postgres::{Client, Statement};

use crate::accounts::Accounts;
use crate::in_rust::TransferMoney;

const CENTS: i64 = 5;

/// Where `eventcore_execute_compact` returns the number of attempts.
const ATTEMPTS: usize = 4;

/// A way to transfer money.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `eventcore_execute_compact`, the form for programs.
    Command,
    /// The same with an `apply` that takes several events.
    Batch,
    /// The same with `eventcore.early_lock_release`.
    Early,
    /// The same for a command whose streams are long.
    Long,
    /// The client's `execute`.
    Client,
    /// The PL/pgSQL function that retries until nothing has changed meanwhile.
    Optimistic,
    /// The PL/pgSQL function that updates two rows.
    Rows,
}

/// One session per worker, all using one way.
pub(crate) struct Workers {
    way: Way,
    sessions: Vec<Arc<Session>>,
    accounts: Arc<Accounts>,
    tried: Arc<Tried>,
}

enum Session {
    Statement(Client, Statement),
    Store(PostgresEventStore),
}

/// The number of attempts, over all slices.
#[derive(Default)]
struct Tried {
    done: AtomicU64,
    attempts: AtomicU64,
    most_attempts: AtomicU64,
    /// Calls that gave up because of conflicts.
    failed: AtomicU64,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Command | Self::Long => "eventcore_execute_compact",
            Self::Batch => "eventcore_execute_compact with apply for several events",
            Self::Early => "eventcore_execute_compact with early lock release",
            Self::Client => "the client's execute",
            Self::Optimistic => "a PL/pgSQL loop that reads, appends and retries",
            Self::Rows => "a PL/pgSQL function that updates two rows",
        }
    }

    fn statement(self) -> &'static str {
        match self {
            Self::Command | Self::Early => "SELECT eventcore_execute_compact('transfer_money', $1)",
            Self::Batch => "SELECT eventcore_execute_compact('transfer_in_batches', $1)",
            Self::Long => "SELECT eventcore_execute_compact('transfer_combined', $1)",
            Self::Optimistic => "SELECT transfer_optimistically($1)",
            Self::Rows => "SELECT transfer_rows($1, $2, $3)",
            Self::Client => unreachable!("it has its own statements"),
        }
    }
}

impl Workers {
    pub(crate) async fn connect(
        database: &Database,
        way: Way,
        workers: usize,
        accounts: Accounts,
    ) -> Result<Self> {
        let mut sessions = Vec::new();
        if way == Way::Client {
            let store = PostgresEventStore::builder(&database.url()?)?;
            let store = store.pool_size(workers).connect().await?;
            sessions.resize_with(workers, || Arc::new(Session::Store(store.clone())));
        } else {
            for _ in 0..workers {
                let client = database.connect().await?;
                if way == Way::Early {
                    let early = "SET eventcore.early_lock_release = on";
                    client.batch_execute(early).await?;
                }
                let statement = client.prepare(way.statement()).await?;
                sessions.push(Arc::new(Session::Statement(client, statement)));
            }
        }
        Ok(Self {
            way,
            sessions,
            accounts: Arc::new(accounts),
            tried: Arc::default(),
        })
    }

    /// Successful transfers per second.
    pub(crate) async fn rate(&self, slice: Duration) -> Result<f64> {
        let worker = |number: usize, end| {
            let session = Arc::clone(&self.sessions[number]);
            let (accounts, tried) = (Arc::clone(&self.accounts), Arc::clone(&self.tried));
            let way = self.way;
            async move { worker(way, &session, &accounts, &tried, end).await }
        };
        Ok(rate(self.sessions.len(), slice, worker).await?.commands)
    }

    /// The outcomes of all calls.
    pub(crate) fn figures(&self, work: &str) -> Vec<Figure> {
        let figure = |what: &str, value, unit| Figure {
            work: work.to_owned(),
            what: format!("{}: {what}", self.way.name()),
            value,
            unit,
        };
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
        let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
        let tried = &self.tried;
        let mean = count(&tried.attempts) / (count(&tried.done) + count(&tried.failed));
        vec![
            figure("gave up", count(&tried.failed), "calls"),
            figure("attempts, mean", mean, "attempts"),
            figure("attempts, most", count(&tried.most_attempts), "attempts"),
        ]
    }
}

async fn worker(
    way: Way,
    session: &Session,
    accounts: &Accounts,
    tried: &Tried,
    end: Instant,
) -> Result<u64> {
    let mut done = 0;
    while Instant::now() < end {
        let (from, to) = accounts.pair();
        let (succeeded, attempts) = session.transfer(way, from, to).await?;
        done += u64::from(succeeded);
        tried.done.fetch_add(succeeded.into(), Relaxed);
        tried.failed.fetch_add((!succeeded).into(), Relaxed);
        tried.attempts.fetch_add(attempts, Relaxed);
        tried.most_attempts.fetch_max(attempts, Relaxed);
    }
    Ok(done)
}

impl Session {
    /// Whether the transfer succeeded, and at which attempt. Only the client gives up because of
    /// conflicts; any other failure ends the benchmark.
    async fn transfer(&self, way: Way, from: String, to: String) -> Result<(bool, u64)> {
        let (client, statement) = match self {
            Self::Store(store) => return by_client(store, &from, &to).await,
            Self::Statement(client, statement) => (client, statement),
        };
        if way == Way::Rows {
            client.query_one(statement, &[&from, &to, &CENTS]).await?;
            return Ok((true, 1));
        }
        let input = json!({"from": from, "to": to, "cents": CENTS});
        if way == Way::Optimistic {
            let row = client.query_one(statement, &[&input]).await?;
            let attempts: i32 = row.try_get(0)?;
            return Ok((true, attempts.unsigned_abs().into()));
        }
        let row = client.query_one(statement, &[&input.to_string()]).await?;
        let result: Vec<Option<&str>> = row.try_get(0)?;
        let attempts = result.get(ATTEMPTS).copied().flatten();
        let attempts = attempts.context("the result has no number of attempts")?;
        Ok((true, attempts.parse()?))
    }
}

async fn by_client(store: &PostgresEventStore, from: &str, to: &str) -> Result<(bool, u64)> {
    let stream = |name| StreamId::new(name).map_err(|error| anyhow!("{error}"));
    let transfer = TransferMoney {
        from: stream(from)?,
        to: stream(to)?,
        cents: CENTS,
    };
    match execute(store, &transfer).await {
        Ok(execution) => Ok((true, execution.attempts.into())),
        Err(error) if error.is_version_conflict() => Ok((false, error.attempts().into())),
        Err(error) => Err(error.into()),
    }
}
