//! [`Pool`]: a few sessions that cannot write, lent to one request at a time.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Manager, Metrics, PoolError, RecycleError, RecycleResult};
use eventcore_inspect::connection::Target;
use eventcore_inspect::{Error, Session, SessionOptions};

use crate::failure::Failure;
use crate::state::APPLICATION_NAME;

/// The longest time for a statement of a page.
const LONGEST: Duration = Duration::from_secs(2);

/// How long a request waits for a session.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// A few sessions that cannot write.
pub(crate) struct Pool(managed::Pool<Sessions>);

/// A session of the pool. It goes back when it is dropped.
pub(crate) type Lent = managed::Object<Sessions>;

/// What makes the sessions.
pub(crate) struct Sessions(Target);

impl Manager for Sessions {
    type Type = Session;
    type Error = Error;

    async fn create(&self) -> Result<Session, Error> {
        let options = SessionOptions::read_only(APPLICATION_NAME);
        Session::open(&self.0, &options.statement_timeout(LONGEST)).await
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Error> {
        if session.is_closed() {
            return Err(RecycleError::message("the connection is lost"));
        }
        // It may have been created since.
        session
            .extension()
            .map(|_| ())
            .map_err(RecycleError::Backend)
    }
}

impl Pool {
    pub(crate) fn new(target: Target, size: usize) -> Result<Self, String> {
        let pool = managed::Pool::builder(Sessions(target))
            .max_size(size)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(CONNECT))
            .runtime(Runtime::Tokio1);
        Ok(Self(pool.build().map_err(|error| error.to_string())?))
    }

    /// A session.
    pub(crate) async fn session(&self) -> Result<Lent, Failure> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            PoolError::Timeout(managed::TimeoutType::Wait) => Failure::busy(),
            error => Failure::unavailable(error.to_string()),
        })
    }
}
