//! The settings of a store.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_postgres::Config;

use super::listen::Listening;
use super::pool::Pool;
use super::returned::Returned;
use super::watches::Watches;
use super::{Inner, PostgresEventStore, read};
use crate::StoreError;

const TIMEOUT_OF_OTHERS: &str = "\
through a pooler in transaction mode it would stay with a connection that others get next: set it for \
the role, ALTER ROLE … SET statement_timeout";

/// The settings of a [`PostgresEventStore`].
#[derive(Clone)]
pub struct Builder {
    pub(super) config: Config,
    pub(super) pool_size: usize,
    pub(super) pool_timeout: Duration,
    pub(super) statement_timeout: Option<Duration>,
    pub(super) transaction_pooling: bool,
    listen_on: Option<Config>,
    poll_interval: Duration,
}

impl Builder {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            config: parse("url", url)?,
            pool_size: 10,
            pool_timeout: Duration::from_secs(30),
            statement_timeout: None,
            transaction_pooling: false,
            listen_on: None,
            poll_interval: Duration::from_secs(2),
        })
    }

    /// The most connections to work with, beside the one to listen on; at least one. By default 10.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.max(1);
        self
    }

    /// The longest wait for a connection while all are in use. By default 30 s.
    #[must_use]
    pub fn pool_timeout(mut self, timeout: Duration) -> Self {
        self.pool_timeout = timeout;
        self
    }

    /// The longest wait for the server to accept a connection. By default what the URL says in
    /// `connect_timeout`, else 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.connect_timeout(timeout);
        self
    }

    /// The longest that a statement may take, in whole milliseconds; the server ends it then. By
    /// default what the server says. A consumer of a durable subscription that is far behind needs
    /// more than 1 s: so long may one poll look for an event of interest. Set for the session: not for
    /// a pooler in transaction mode, see [`transaction_pooling`](Self::transaction_pooling).
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
    }

    /// Whether the URL leads to a pooler that gives one of the server's connections to a client for a
    /// transaction at a time, as PgBouncer does with `pool_mode = transaction`. By default not.
    ///
    /// Then nothing is kept in a session. Statements are sent as they are instead of prepared once, which
    /// takes no more round trips, but the server parses them each time. Subscriptions look for events at the [`poll_interval`](Self::poll_interval),
    /// unless [`listen_on`](Self::listen_on) says where to listen. A
    /// [`statement_timeout`](Self::statement_timeout) is refused, since other clients would get it too.
    ///
    /// Without this, a call behind such a pooler fails, or another client's statement is run in its place,
    /// unless the pooler keeps track of prepared statements (PgBouncer from 1.21 on, with
    /// `max_prepared_statements`).
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), eventcore::StoreError> {
    /// let store = eventcore::PostgresEventStore::builder("postgresql://app@pooler:6432/shop")?
    ///     .transaction_pooling(true)
    ///     .listen_on("postgresql://app@server:5432/shop")?
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn transaction_pooling(mut self, is_pooled: bool) -> Self {
        self.transaction_pooling = is_pooled;
        self
    }

    /// Another URL to the same database, past a pooler: to listen on, for subscriptions that are told of
    /// events as soon as there are any. One connection for the store, while anything is subscribed to.
    ///
    /// # Errors
    ///
    /// The URL is malformed.
    pub fn listen_on(mut self, url: &str) -> Result<Self, StoreError> {
        self.listen_on = Some(parse("listen_on", url)?);
        Ok(self)
    }

    /// How often a subscription looks for events when nothing wakes it, as when a notification was
    /// lost; at least 1 s. By default 2 s.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_secs(1));
        self
    }

    /// The store, connected to by the first call that needs it.
    ///
    /// # Errors
    ///
    /// The settings contradict each other.
    pub fn build(self) -> Result<PostgresEventStore, StoreError> {
        if self.transaction_pooling && self.statement_timeout.is_some() {
            return Err(StoreError::malformed(
                "statement_timeout",
                None,
                TIMEOUT_OF_OTHERS,
            ));
        }
        let pool = Pool::new(&self)?;
        let directly = (!self.transaction_pooling).then_some(self.config);
        Ok(PostgresEventStore {
            inner: Arc::new(Inner {
                pool,
                listening: Listening::new(self.listen_on.or(directly)),
                poll_interval: self.poll_interval,
                consumers: OnceLock::new(),
                returned: Returned::new(),
                watches: Watches::default(),
            }),
        })
    }

    /// The store, after a look whether the database can be used.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build), or the server cannot be reached, or the database has no extension
    /// `eventcore` that its user may read from.
    pub async fn connect(self) -> Result<PostgresEventStore, StoreError> {
        let store = self.build()?;
        read::safe_position(&store.inner.pool).await?;
        Ok(store)
    }
}

/// A URL, with our defaults for what it does not say.
fn parse(argument: &'static str, url: &str) -> Result<Config, StoreError> {
    let mut config: Config = url
        .parse()
        .map_err(|source| StoreError::malformed(argument, None, source))?;
    if config.get_application_name().is_none() {
        config.application_name("eventcore");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    Ok(config)
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("pool_size", &self.pool_size)
            .field("pool_timeout", &self.pool_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("transaction_pooling", &self.transaction_pooling)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
