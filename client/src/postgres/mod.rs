//! [`PostgresEventStore`]: events in PostgreSQL with the extension `eventcore`.
//!
//! TLS uses rustls. It is configured by the parameters of libpq in the URL or by the methods of
//! [`Builder`]: `sslmode` (see [`TlsMode`]), `sslrootcert` (a file, or `system`), `sslcert` and
//! `sslkey`. Unlike libpq, the store does not look for files in the home directory, so `verify-ca`
//! and `verify-full` need `sslrootcert`. A certificate must name its host as a subject alternative
//! name; the common name is not used. Passwords use channel binding (SCRAM-SHA-256-PLUS) if the
//! server offers it.

mod append;
mod builder;
mod checkpoint;
mod commands;
mod connection;
mod durable;
mod error;
mod jsonb;
mod listen;
mod pool;
mod read;
mod row;
mod server;
mod session;
mod snapshots;
mod sqlstate;
mod subscribe;
mod target;
mod tls;
mod transaction;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use tokio_postgres;

pub use self::builder::Builder;
pub use self::commands::{
    CommandDefinition, FieldType, RegisteredCommand, ServerCall, ServerCommand, ServerExecution,
};
use self::durable::{PollLocks, RedeliverySignal};
use self::listen::{Listener, Listening};
use self::pool::Pool;
pub use self::session::PostgresSession;
pub use self::tls::{TlsMode, UnknownMode};
pub use self::transaction::PostgresTransaction;
use crate::store::{
    Append, Appended, EventStore, ReadAll, ReadStream, ReadStreams, RecordedEvent, Snapshot,
    StoreError, StreamsRead,
};
use crate::subscription::{EventSubscription, Subscribe, Subscription};
use crate::values::{Position, SnapshotName, StreamId, StreamVersion};

/// Events in PostgreSQL, in a database where `CREATE EXTENSION eventcore` was run.
///
/// With [`Builder::read_from`] it reads from standbys what may be slightly old. For commands,
/// consumers and process managers it reads from the primary.
///
/// It has a pool of connections. It opens one more connection for listening when the first
/// subscription or consumer starts, however many there are. A clone is the same store with the same
/// pool. It needs a tokio runtime with timers and I/O, and belongs to the runtime in which it is
/// first used: its connections stop when that runtime stops.
///
/// ```no_run
/// use eventcore::PostgresEventStore;
///
/// # async fn run() -> Result<(), eventcore::StoreError> {
/// let store = PostgresEventStore::connect("postgresql://app@localhost/shop").await?;
/// let store = PostgresEventStore::builder("postgresql:///shop?host=/run/postgresql&user=app")?
///     .pool_size(32)
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresEventStore {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    /// The standbys to read from, if there are any.
    standbys: Option<Standbys>,
    listening: Listening,
    poll_interval: Duration,
    /// The listener for the consumers of durable subscriptions, once there are any.
    consumers: OnceLock<Arc<Listener>>,
    redelivery: RedeliverySignal,
    poll_locks: PollLocks,
}

impl PostgresEventStore {
    /// Connects to the database of a libpq URL with the default settings of [`Builder`].
    ///
    /// # Errors
    ///
    /// The URL is malformed, the server cannot be reached, or the database has no extension
    /// `eventcore` that the user may read from.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::builder(url)?.connect().await
    }

    /// A builder for the database of a libpq URL, for example
    /// `postgresql://user@host:5432/database`, or with the directory of a socket:
    /// `postgresql:///database?host=/run/postgresql&user=app`.
    ///
    /// # Errors
    ///
    /// The URL is malformed.
    pub fn builder(url: &str) -> Result<Builder, StoreError> {
        Builder::new(url)
    }
}

/// The standbys that a store reads from.
struct Standbys {
    pool: Pool,
    /// Waits there for new events.
    listening: Listening,
}

impl Inner {
    /// The pool for reads that may be slightly old.
    fn readers(&self) -> &Pool {
        self.standbys.as_ref().map_or(&self.pool, |of| &of.pool)
    }

    /// Where to wait for new events on that server.
    fn heard_by_readers(&self) -> &Listening {
        let standbys = self.standbys.as_ref();
        standbys.map_or(&self.listening, |of| &of.listening)
    }

    fn pool_for(&self, up_to_date: bool) -> &Pool {
        match up_to_date {
            true => &self.pool,
            false => self.readers(),
        }
    }
}

impl PostgresEventStore {
    /// Waits until reads from this store show everything up to a position, such as the
    /// [`last_position`](Appended::last_position) of an append. Returns whether they do within the
    /// time. Use it to read your own writes if the store [reads from standbys](Builder::read_from).
    ///
    /// # Errors
    ///
    /// The server refuses the request. While it cannot be reached, this waits.
    pub async fn wait_for(
        &self,
        position: Position,
        timeout: Duration,
    ) -> Result<bool, StoreError> {
        let ends = Instant::now().checked_add(timeout);
        let listener = self.inner.heard_by_readers().listener();
        let mut news = listener.news();
        loop {
            // Mark the news as seen before asking, so that news in between wakes us.
            news.mark_unchanged();
            match read::safe_position(self.inner.readers()).await {
                Ok(safe) if safe >= position => return Ok(true),
                Err(error) if !error.is_retriable() => return Err(error),
                Ok(_) | Err(_) => {}
            }
            let longest = self.inner.poll_interval;
            let left = ends.map_or(longest, |ends| {
                ends.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return Ok(false);
            }
            subscribe::wait(&mut news, left.min(longest)).await;
        }
    }
}

impl EventStore for PostgresEventStore {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        append::append(&self.inner.pool, append).await
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        read::stream(self.inner.pool_for(read.up_to_date), read).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        read::streams(self.inner.pool_for(read.up_to_date), read).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        read::all(self.inner.readers(), read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        read::stream_versions(&self.inner.pool, streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        read::safe_position(&self.inner.pool).await
    }

    async fn read_from_snapshot(
        &self,
        name: &SnapshotName,
        streams: &[StreamId],
    ) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
        snapshots::read(&self.inner.pool, name, streams).await
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        snapshots::save(&self.inner.pool, snapshot).await
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl EventSubscription for PostgresEventStore {
    fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        subscribe::subscribe(Arc::clone(&self.inner), subscribe)
    }
}

impl fmt::Debug for PostgresEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresEventStore").finish_non_exhaustive()
    }
}
