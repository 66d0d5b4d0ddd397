//! Commands executed by eventcore's client: the same work that the driver gives to the peer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Result;
use eventcore::postgres::PostgresEventStore;
use eventcore::{
    CommandError, CommandLogic, Event, EventCache, ExecuteOptions, NewEvents, StoredEvent,
    StreamId, Streams, emit, execute, execute_with, require,
};
use eventcore_benches::database::Database;
use eventcore_benches::workers;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::driver::Work;

/// The accounts from which a transfer chooses two.
const ACCOUNTS: u64 = 1000;
const OPENING_BALANCE: u64 = 1_000_000_000;

/// Like the driver's.
const WARM_UP: Duration = Duration::from_secs(2);

/// A kind of command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    /// Reads a new stream and writes an event to it.
    One,
    /// The same with two new streams.
    Two,
    /// The same with two of 1,000 accounts.
    Transfer,
    /// The same, decided on cached events without a read.
    CachedTransfer,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "command: 1 new stream, 1 event",
            Self::Two => "command: 2 new streams, 1 event each",
            Self::Transfer => "command: transfer between 2 of 1,000 accounts",
            Self::CachedTransfer => {
                "command: transfer between 2 of 1,000 accounts, on cached events"
            }
        }
    }

    pub(super) fn of_the_driver(self) -> Work {
        match self {
            Self::One => Work::One,
            Self::Two => Work::Two,
            Self::Transfer | Self::CachedTransfer => Work::Transfer,
        }
    }
}

/// About 110 bytes of JSON.
#[derive(Debug, Serialize, Deserialize, Event)]
enum MoneyEvent {
    Deposited(Money),
    Withdrawn(Money),
}

#[derive(Debug, Serialize, Deserialize)]
struct Money {
    cents: u64,
    currency: String,
    reference: String,
    memo: String,
}

impl Money {
    fn of(cents: u64) -> Self {
        Self {
            cents,
            currency: "EUR".to_owned(),
            reference: "invoice 2026-11-001".to_owned(),
            memo: "for services rendered in November".to_owned(),
        }
    }
}

#[derive(eventcore::Command)]
struct Deposit {
    #[stream]
    account: StreamId,
    cents: u64,
}

impl CommandLogic for Deposit {
    type State = ();
    type Event = MoneyEvent;

    fn apply(&self, (): (), _: &StoredEvent<MoneyEvent>) {}

    fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.account,
            MoneyEvent::Deposited(Money::of(self.cents))
        );
        Ok(events)
    }
}

#[derive(eventcore::Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    cents: u64,
    /// The balance of an account without events.
    credit: u64,
}

impl CommandLogic for Transfer {
    /// The deposits to `from`, and the withdrawals from it.
    type State = (u64, u64);
    type Event = MoneyEvent;

    fn apply(&self, (came, left): (u64, u64), stored: &StoredEvent<MoneyEvent>) -> (u64, u64) {
        match &stored.event {
            _ if stored.stream_id != self.from => (came, left),
            MoneyEvent::Deposited(money) => (came + money.cents, left),
            MoneyEvent::Withdrawn(money) => (came, left + money.cents),
        }
    }

    fn handle(
        &self,
        (came, left): (u64, u64),
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(came + self.credit >= left + self.cents, "not enough money");
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.from,
            MoneyEvent::Withdrawn(Money::of(self.cents))
        );
        emit!(
            events,
            streams.to,
            MoneyEvent::Deposited(Money::of(self.cents))
        );
        Ok(events)
    }
}

/// Clients that execute commands of one kind; as many connections as clients.
pub(super) struct Commands {
    client: Client,
    clients: usize,
}

/// One of the clients. A clone shares the connections, the cache and the count.
#[derive(Clone)]
struct Client {
    store: PostgresEventStore,
    command: Command,
    options: ExecuteOptions,
    /// Names the streams of each command.
    count: Arc<AtomicU64>,
    /// Names the accounts of a measurement.
    measurement: u64,
}

impl Commands {
    pub(super) async fn new(database: &Database, command: Command, clients: u32) -> Result<Self> {
        let clients = usize::try_from(clients)?;
        let store = PostgresEventStore::builder(&database.url()?)?
            .pool_size(clients)
            .connect()
            .await?;
        let client = Client {
            store,
            command,
            options: match command {
                Command::CachedTransfer => ExecuteOptions::new()
                    .event_cache(EventCache::new(1_000_000))
                    .skip_read(true),
                _ => ExecuteOptions::new(),
            },
            count: Arc::default(),
            measurement: 0,
        };
        Ok(Self { client, clients })
    }

    /// Commands acknowledged per second, after a warm-up. Like the driver's, each measurement has new
    /// accounts: their histories get longer with every transfer, and transfers slower. And each client
    /// is a task.
    pub(super) async fn rate(&mut self, time: Duration) -> Result<f64> {
        self.client.measurement += 1;
        let work = |_, end| self.client.clone().work(end);
        workers::rate(self.clients, WARM_UP, work).await?;
        let rate = workers::rate(self.clients, time, work).await?;
        Ok(rate.commands)
    }
}

impl Client {
    /// Executes commands until the end; returns how many.
    async fn work(self, end: Instant) -> Result<u64> {
        let mut executed = 0;
        while Instant::now() < end {
            self.execute().await?;
            executed += 1;
        }
        Ok(executed)
    }

    async fn execute(&self) -> Result<()> {
        let number = self.count.fetch_add(1, Relaxed);
        match self.command {
            Command::One => {
                let account = StreamId::new(format!("account-{}", Uuid::now_v7()))?;
                execute(
                    &self.store,
                    &Deposit {
                        account,
                        cents: 100,
                    },
                )
                .await?;
            }
            Command::Two => {
                let id = Uuid::now_v7();
                self.transfer(format!("from-{id}"), format!("to-{id}"))
                    .await?;
            }
            Command::Transfer | Command::CachedTransfer => {
                // Spreads over all pairs without a random number generator.
                let random = Uuid::new_v4().as_u64_pair().0;
                let from = random % ACCOUNTS;
                let to = (from + 1 + number % (ACCOUNTS - 1)) % ACCOUNTS;
                let account = |number| format!("account-{}-{number}", self.measurement);
                self.transfer(account(from), account(to)).await?;
            }
        }
        Ok(())
    }

    async fn transfer(&self, from: String, to: String) -> Result<()> {
        let transfer = Transfer {
            from: StreamId::new(from)?,
            to: StreamId::new(to)?,
            cents: 100,
            credit: OPENING_BALANCE,
        };
        execute_with(&self.store, &transfer, &self.options).await?;
        Ok(())
    }
}
