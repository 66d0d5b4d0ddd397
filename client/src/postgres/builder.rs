//! [`Builder`]: the settings of a store.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::durable::{PollLocks, RedeliverySignal};
use super::listen::Listening;
use super::pool::{Pool, PoolSettings};
use super::server::{Server, Url};
use super::tls::{TlsMode, TlsSettings};
use super::{Inner, PostgresEventStore, PostgresSession, Standbys, read};
use crate::store::StoreError;

const TIMEOUT_OF_OTHERS: &str = "\
behind a pooler in transaction mode the setting would remain on a connection that other clients use next: set it \
for the role with ALTER ROLE … SET statement_timeout";

/// The settings of a [`PostgresEventStore`].
#[derive(Clone)]
pub struct Builder {
    url: Url,
    /// What the builder's methods say, without what the URL says.
    tls: TlsSettings,
    pool: PoolSettings,
    listen_on: Option<Url>,
    read_from: Option<Url>,
    poll_interval: Duration,
}

impl Builder {
    pub(super) fn new(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            url: Url::parse("url", url)?,
            tls: TlsSettings::default(),
            pool: PoolSettings {
                size: 10,
                timeout: Duration::from_secs(30),
                statement_timeout: None,
                transaction_pooling: false,
            },
            listen_on: None,
            read_from: None,
            poll_interval: Duration::from_secs(2),
        })
    }

    /// The most connections to work with, in addition to the one for listening; at least one. By
    /// default 10. Each call uses one connection, and waits while all are in use.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool.size = connections.max(1);
        self
    }

    /// The longest wait for a connection while all are in use. By default 30 s.
    #[must_use]
    pub fn pool_timeout(mut self, timeout: Duration) -> Self {
        self.pool.timeout = timeout;
        self
    }

    /// The longest wait for the server to accept a connection, for each of its addresses. By
    /// default the URL's `connect_timeout`, else 5 s. A connection that is accepted but not ready
    /// after twice this time for each host is given up.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.url.config.connect_timeout(timeout);
        self
    }

    /// Whether to use TLS, and how far to verify the server. By default the URL's `sslmode`, else
    /// [`TlsMode::Prefer`], which does not protect from anyone who can change the traffic.
    #[must_use]
    pub fn tls(mut self, mode: TlsMode) -> Self {
        self.tls.mode = Some(mode);
        self
    }

    /// A PEM file with the certificates to trust; or `system` for those that the operating system
    /// trusts, which requires [`TlsMode::VerifyFull`] and makes it the default. By default the
    /// URL's `sslrootcert`. [`build`](Self::build) reads the file.
    #[must_use]
    pub fn root_certificate(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls.root = Some(path.into().into());
        self
    }

    /// PEM files with the certificate and the key to present to the server. By default the URL's
    /// `sslcert` and `sslkey`. [`build`](Self::build) reads the files.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.tls.certificate = Some(certificate.into());
        self.tls.key = Some(key.into());
        self
    }

    /// The longest time for a statement, in whole milliseconds; then the server cancels it. By
    /// default the server's setting. A consumer of a durable subscription that is far behind needs
    /// more than 1 s, because one poll may search that long for a matching event. The timeout is
    /// set for the session, so it does not work with a pooler in transaction mode; see
    /// [`transaction_pooling`](Self::transaction_pooling).
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.pool.statement_timeout = Some(timeout);
        self
    }

    /// Whether the URL leads to a pooler that assigns one of the server's connections to a client
    /// for one transaction at a time, such as PgBouncer with `pool_mode = transaction`. By default
    /// false.
    ///
    /// If true, the store keeps nothing in a session. Statements are sent as text instead of being
    /// prepared once. This takes no more round trips, but the server parses them each time.
    /// Subscriptions look for events at the [`poll_interval`](Self::poll_interval), unless
    /// [`listen_on`](Self::listen_on) gives a server to listen on. A
    /// [`statement_timeout`](Self::statement_timeout) is refused, because it would also apply to
    /// other clients.
    ///
    /// If false, a call behind such a pooler fails or runs another client's statement, unless the
    /// pooler tracks prepared statements (PgBouncer from 1.21 on, with `max_prepared_statements`).
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
        self.pool.transaction_pooling = is_pooled;
        self
    }

    /// Another URL to the same database that bypasses a pooler. The store listens there, so that
    /// subscriptions receive events at once. It uses one connection while there are subscriptions.
    /// TLS settings that this URL does not contain are those of the builder's methods.
    ///
    /// # Errors
    ///
    /// The URL is malformed.
    pub fn listen_on(mut self, url: &str) -> Result<Self, StoreError> {
        self.listen_on = Some(Url::parse("listen_on", url)?);
        Ok(self)
    }

    /// Another URL to the same database, on standbys. The store reads from there for subscriptions,
    /// for projections of this crate, for [`read_all`](crate::EventStore::read_all), and for reads
    /// of streams that are not [`up_to_date`](crate::ReadStreams::up_to_date). A standby is
    /// slightly behind; [`PostgresEventStore::wait_for`] waits until it has caught up. Everything
    /// else uses the primary: commands read there, and durable subscriptions are polled there. The
    /// standbys have a pool of their own of the same size, and one more connection that waits for
    /// new events. TLS settings that this URL does not contain are those of the builder's methods.
    ///
    /// A URL may list several servers and choose among them with `target_session_attrs`, as in
    /// libpq:
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), eventcore::StoreError> {
    /// let store = eventcore::PostgresEventStore::builder("postgresql://app@a,b,c/shop?target_session_attrs=read-write")?
    ///     .read_from("postgresql://app@a,b,c/shop?target_session_attrs=prefer-standby&load_balance_hosts=random")?
    ///     .connect()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The URL is malformed.
    pub fn read_from(mut self, url: &str) -> Result<Self, StoreError> {
        self.read_from = Some(Url::parse("read_from", url)?);
        Ok(self)
    }

    /// How often a subscription looks for events if nothing wakes it, for example because a
    /// notification was lost; at least 1 s. By default 2 s.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Makes the store. It connects when a call needs a connection.
    ///
    /// # Errors
    ///
    /// The settings contradict each other, or a TLS file cannot be used.
    pub fn build(self) -> Result<PostgresEventStore, StoreError> {
        if self.pool.transaction_pooling && self.pool.statement_timeout.is_some() {
            return Err(StoreError::malformed(
                "statement_timeout",
                None,
                TIMEOUT_OF_OTHERS,
            ));
        }
        let server = self.server()?;
        let directly = (!self.pool.transaction_pooling).then(|| server.clone());
        let listen_on = self.listen_on.clone().map(|url| {
            let tls = url.tls.or(&self.tls);
            Server::new(Url { tls, ..url })
        });
        let listen_on = listen_on.transpose()?.or(directly);
        let pool = Pool::new(&self.pool, server)?;
        let standbys = self.read_from.clone().map(|url| {
            let tls = url.tls.clone().or(&self.tls);
            let server = Server::new(Url { tls, ..url })?;
            Ok::<_, StoreError>(Standbys {
                pool: Pool::new(&self.pool, server.clone())?,
                listening: Listening::by_waiting(server),
            })
        });
        Ok(PostgresEventStore {
            inner: Arc::new(Inner {
                pool,
                standbys: standbys.transpose()?,
                listening: Listening::new(listen_on),
                poll_interval: self.poll_interval,
                consumers: OnceLock::new(),
                redelivery: RedeliverySignal::new(),
                poll_locks: PollLocks::default(),
            }),
        })
    }

    /// Makes the store and checks that the database can be used.
    ///
    /// # Errors
    ///
    /// Like [`build`](Self::build); or the server cannot be reached; or the database has no
    /// extension `eventcore` that the user may read from.
    pub async fn connect(self) -> Result<PostgresEventStore, StoreError> {
        let store = self.build()?;
        read::safe_position(&store.inner.pool).await?;
        Ok(store)
    }

    /// Connects once, outside the pool of a store, for statements that the store has no method for.
    /// The session has the server's `search_path`, and no statement timeout but the server's.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let url = "postgresql:///shop?host=/run/postgresql";
    /// let session = eventcore::PostgresEventStore::builder(url)?.session().await?;
    /// let row = session
    ///     .query_one("SELECT pid FROM eventcore.stat_notifier", &[])
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A TLS file cannot be used, or the server cannot be reached.
    pub async fn session(&self) -> Result<PostgresSession, StoreError> {
        PostgresSession::open(self.server()?).await
    }

    /// The server of the URL, with TLS by the URL and by the builder's methods.
    fn server(&self) -> Result<Server, StoreError> {
        Server::new(Url {
            tls: self.tls.clone().or(&self.url.tls),
            ..self.url.clone()
        })
    }
}

/// Without the URL, which may contain a password.
impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("pool_size", &self.pool.size)
            .field("pool_timeout", &self.pool.timeout)
            .field("statement_timeout", &self.pool.statement_timeout)
            .field("transaction_pooling", &self.pool.transaction_pooling)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}
