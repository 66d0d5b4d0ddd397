//! Whom a session waits for, because another one has a lock that it wants.

use crate::error::Error;
use crate::row::{FromRow, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A process that has a lock, or that is before another one in the queue for it.
    #[derive(Debug, Clone, PartialEq)]
    #[non_exhaustive]
    pub struct Blocker {
        /// The process. 0: a transaction that was prepared.
        pub pid: i32,
        /// What kind of process it is.
        pub backend_type: Option<String>,
        /// The name that its client gave itself.
        pub application_name: Option<String>,
        /// Its role.
        pub usename: Option<String>,
        /// Its state.
        pub state: Option<String>,
        /// When its transaction began.
        pub transaction_start: Option<Time>,
        /// Its statement, or its last one.
        pub query: Option<String>,
    }
}

/// Times and statements of other roles are seen by superusers and `pg_read_all_stats` only. A
/// transaction that was prepared has no process. `pg_blocking_pids` stops all locking of the server for
/// a moment, so it is asked only for a process that waits for a lock.
const BLOCKERS: &str = "\
SELECT b.pid, a.backend_type, a.application_name, a.usename::text AS usename, a.state,
       a.xact_start AS transaction_start,
       CASE WHEN a.state IS NOT NULL THEN nullif(a.query, '') END AS query
  FROM (SELECT DISTINCT n.pid
          FROM pg_catalog.pg_stat_activity w
         CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) n (pid)
         WHERE w.pid = $1 AND w.wait_event_type = 'Lock') b
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
 ORDER BY b.pid";

/// Whom this process of the server waits for; empty if it waits for no lock.
///
/// # Errors
///
/// The connection is lost.
pub async fn blockers(session: &Session, pid: i32) -> Result<Vec<Blocker>, Error> {
    // A database without the extension has locks too.
    let rows = session.client().query(BLOCKERS, &[&pid]).await?;
    rows.iter().map(Blocker::from_row).collect()
}
