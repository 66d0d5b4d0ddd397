//! The settings of a store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;

use super::listen::Listening;
use super::pool::Pool;
use super::{Inner, PostgresEventStore, read};
use crate::StoreError;

/// The settings of a [`PostgresEventStore`].
#[derive(Clone)]
pub struct Builder {
    pub(super) config: Config,
    pub(super) pool_size: usize,
    pub(super) pool_timeout: Duration,
    pub(super) statement_timeout: Option<Duration>,
    poll_interval: Duration,
}

impl Builder {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url
            .parse()
            .map_err(|source| StoreError::malformed("url", None, source))?;
        if config.get_application_name().is_none() {
            config.application_name("eventcore");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        Ok(Self {
            config,
            pool_size: 10,
            pool_timeout: Duration::from_secs(30),
            statement_timeout: None,
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
    /// default what the server says.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = Some(timeout);
        self
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
        Ok(PostgresEventStore {
            inner: Arc::new(Inner {
                pool: Pool::new(&self)?,
                listening: Listening::new(self.config),
                poll_interval: self.poll_interval,
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

/// Without the URL, which may hold a password.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("pool_size", &self.pool_size)
            .field("pool_timeout", &self.pool_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
