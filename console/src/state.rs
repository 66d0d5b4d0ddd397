//! [`State`]: what all requests share.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use eventcore_inspect::connection::Target;
use eventcore_inspect::{Session, SessionOptions};
use tokio::sync::watch;

use crate::doctor::Doctor;
use crate::failure::Failure;
use crate::guard::{Attempts, Visitors};
use crate::monitor::Monitor;
use crate::options::{Log, Options, Secret};
use crate::pool::Pool;
use crate::tail::Tail;

/// What the sessions of the console are called in `pg_stat_activity`.
pub(crate) const APPLICATION_NAME: &str = "eventcore console";

/// The longest time for a statement of an action, such as a rebuild that waits for a worker.
const LONGEST_ACTION: Duration = Duration::from_secs(10);

/// What all requests share.
pub(crate) struct State {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) allow_actions: bool,
    pub(crate) secret: Option<Secret>,
    pub(crate) hosts: Vec<String>,
    /// For pages.
    pub(crate) pool: Pool,
    /// For the live tail, so that it takes no session of a page.
    pub(crate) tail_pool: Pool,
    pub(crate) tail: Tail,
    pub(crate) monitor: Monitor,
    pub(crate) visitors: Visitors,
    pub(crate) attempts: Attempts,
    /// How many actions have begun.
    pub(crate) actions: AtomicU64,
    pub(crate) doctor: Doctor,
    /// True when the console is to end.
    pub(crate) ends: watch::Receiver<bool>,
    log: Log,
}

impl State {
    pub(crate) fn new(
        options: Options,
        address: SocketAddr,
        ends: watch::Receiver<bool>,
    ) -> Result<Self, String> {
        Ok(Self {
            pool: Pool::new(options.target.clone(), 4)?,
            tail_pool: Pool::new(options.target.clone(), 2)?,
            target: options.target,
            address,
            allow_actions: options.allow_actions,
            secret: options.secret,
            hosts: options.hosts,
            tail: Tail::default(),
            monitor: Monitor::default(),
            visitors: Visitors::default(),
            attempts: Attempts::default(),
            actions: AtomicU64::new(0),
            doctor: Doctor::default(),
            ends,
            log: options.log,
        })
    }

    /// Writes a line to the log.
    pub(crate) fn log(&self, line: &str) {
        (self.log)(line);
    }

    /// The database, as it was asked for.
    pub(crate) fn database(&self) -> &str {
        self.target.get("dbname").unwrap_or("database")
    }

    /// A session that can write, for one action.
    pub(crate) async fn writer(&self) -> Result<Session, Failure> {
        let options = SessionOptions::read_write(APPLICATION_NAME);
        let options = options.statement_timeout(LONGEST_ACTION);
        Ok(Session::open(&self.target, &options).await?)
    }
}
