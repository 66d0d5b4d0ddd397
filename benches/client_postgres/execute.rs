//! Commands on one stream each with `execute`, against the two statements that each needs; and on
//! cached events, against those that read first.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use eventcore::{
    Command, CommandError, CommandLogic, Event, EventCache, ExecuteOptions, NewEvents,
    PostgresEventStore, StoredEvent, StreamId, Streams, emit,
};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Figure, Report, Target};
use eventcore_benches::rounds::{self, Spread};
use eventcore_benches::workers::rate;
use serde::{Deserialize, Serialize};

use crate::bare::{self, Session};
use crate::work::{EACH, REFERENCE, account};

#[derive(Debug, Serialize, Deserialize, Event)]
enum AccountEvent {
    Deposited { cents: u64, reference: String },
}

#[derive(Command)]
struct Deposit {
    #[stream]
    account: StreamId,
    cents: u64,
}

impl CommandLogic for Deposit {
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, balance: u64, event: &StoredEvent<AccountEvent>) -> u64 {
        let AccountEvent::Deposited { cents, .. } = &event.event;
        balance + cents
    }

    fn handle(&self, _: u64, to: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        let deposited = AccountEvent::Deposited {
            cents: self.cents,
            reference: REFERENCE.to_owned(),
        };
        emit!(events, to.account, deposited);
        Ok(events)
    }
}

pub(crate) async fn run(
    database: &Database,
    report: &mut Report,
    count: usize,
    slice: Duration,
) -> Result<()> {
    for (workers, target) in [(1, None), (16, Some(Target::AtLeast(0.8)))] {
        let store = PostgresEventStore::builder(&database.url()?)?
            .pool_size(workers)
            .connect()
            .await?;
        let mut sessions = Vec::new();
        for _ in 0..workers {
            sessions.push(Arc::new(Session::prepare(database.connect().await?).await?));
        }
        let ours = || {
            rate(workers, slice, |_, end| {
                deposits(store.clone(), ExecuteOptions::new(), end)
            })
        };
        let bare = || {
            rate(workers, slice, |number, end| {
                let session = Arc::clone(&sessions[number]);
                async move { bare::worker(&session, end).await }
            })
        };
        let _warm = (ours().await?, bare().await?);
        let cpu = RefCell::new((Vec::new(), Vec::new()));
        let ours = async |_| {
            let rate = ours().await?;
            cpu.borrow_mut().0.push(rate.cpu);
            Ok(rate.commands)
        };
        let bare = async |_| {
            let rate = bare().await?;
            cpu.borrow_mut().1.push(rate.cpu);
            Ok(rate.commands)
        };
        let rounds = rounds::alternate(count, ours, bare).await?;
        report.comparisons.push(Comparison::new(
            "execute, 1 stream, 1 event",
            "its two statements by tokio-postgres",
            u32::try_from(workers)?,
            "commands/s",
            rounds,
            target,
        ));
        let (ours, bare) = cpu.into_inner();
        for (what, cpu) in [("by execute", ours), ("by its two statements", bare)] {
            report.figures.push(Figure {
                work: format!("CPU of the client for a command, {workers} workers"),
                what: what.to_owned(),
                value: Spread::of(cpu).median,
                unit: "µs",
            });
        }
    }
    Ok(())
}

/// Commands that decide on cached events, against those that read first.
pub(crate) async fn cached(
    database: &Database,
    report: &mut Report,
    count: usize,
    slice: Duration,
) -> Result<()> {
    for (workers, target) in [(1, 1.3), (16, 1.5)] {
        let store = PostgresEventStore::builder(&database.url()?)?
            .pool_size(workers)
            .connect()
            .await?;
        let cached = ExecuteOptions::new()
            .event_cache(EventCache::new(100_000))
            .skip_read(true);
        let with = |options: ExecuteOptions| {
            let store = store.clone();
            rate(workers, slice, move |_, end| {
                deposits(store.clone(), options.clone(), end)
            })
        };
        let _warm = (
            with(cached.clone()).await?,
            with(ExecuteOptions::new()).await?,
        );
        let rounds = rounds::alternate(
            count,
            async |_| Ok(with(cached.clone()).await?.commands),
            async |_| Ok(with(ExecuteOptions::new()).await?.commands),
        )
        .await?;
        report.comparisons.push(Comparison::new(
            "execute on cached events without a read, 1 stream, 1 event",
            "its read and append",
            u32::try_from(workers)?,
            "commands/s",
            rounds,
            Some(Target::AtLeast(target)),
        ));
    }
    Ok(())
}

async fn deposits(store: PostgresEventStore, options: ExecuteOptions, end: Instant) -> Result<u64> {
    let mut done = 0;
    loop {
        let account = StreamId::new(account()).map_err(|error| anyhow!(error))?;
        for _ in 0..EACH {
            if Instant::now() >= end {
                return Ok(done);
            }
            let deposit = Deposit {
                account: account.clone(),
                cents: 100,
            };
            eventcore::execute_with(&store, &deposit, &options).await?;
            done += 1;
        }
    }
}
