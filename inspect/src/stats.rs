//! The figures of a database at one moment.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{FromRow, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// The figures of a database at one moment. Those of appends are totals since `counted_since`: for
    /// a rate take the difference of two.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct Stats {
        /// When they were taken, by the server's clock.
        pub taken_at: Time,
        /// The database.
        pub database: String,
        /// The version of PostgreSQL.
        pub server_version: String,
        /// The version of the extension's objects.
        pub extension_version: String,
        /// Whether the server is a standby.
        pub is_standby: bool,
        /// Appends that were committed.
        pub appends: i64,
        /// Events of these appends.
        pub events: i64,
        /// Appends that were refused because a stream had moved.
        pub conflicts: i64,
        /// Appends that repeated an earlier one.
        pub repeats: i64,
        /// Appends that were rolled back.
        pub rolled_back: i64,
        /// When counting began.
        pub counted_since: Option<Time>,
        /// The position up to which events can be read.
        pub safe_position: i64,
        /// The position of the last event; above the safe position while appends are in flight.
        pub last_position: i64,
        /// When the last event was written.
        pub last_recorded_at: Option<Time>,
        /// Transactions that have appended and not ended.
        pub in_flight: i64,
        /// The age of the oldest of them, in seconds.
        pub in_flight_oldest_seconds: f64,
        /// `running`, `away`, `starting` or `none`.
        pub notifier_state: String,
        /// Whether an append has ended that the notifier has not seen yet.
        pub notifier_pending: bool,
        /// Notifications that were sent.
        pub notifications: i64,
        /// The safe position in the last notification.
        pub notified_position: Option<i64>,
        /// When it was sent.
        pub last_notified_at: Option<Time>,
        /// The bytes of the events.
        pub events_bytes: i64,
        /// The bytes of their indexes.
        pub indexes_bytes: i64,
        /// An estimate of the number of events; -1 if the table was never vacuumed or analysed.
        pub events_estimate: i64,
    }
}

const STATS: &str = "\
SELECT clock_timestamp() AS taken_at, current_database()::text AS database,
       split_part(current_setting('server_version'), ' ', 1) AS server_version,
       (SELECT x.extversion FROM pg_extension x WHERE x.extname = 'eventcore') AS extension_version,
       pg_is_in_recovery() AS is_standby,
       a.appends, a.events, a.conflicts, a.repeats, a.rolled_back, a.since AS counted_since,
       h.safe_position, coalesce(l.position, 0) AS last_position, l.recorded_at AS last_recorded_at,
       i.in_flight, i.in_flight_oldest_seconds,
       n.state AS notifier_state, coalesce(n.pending, false) AS notifier_pending, coalesce(n.notifications, 0) AS notifications,
       n.last_position AS notified_position, n.last_notified_at,
       pg_table_size('eventcore.events') AS events_bytes, pg_indexes_size('eventcore.events') AS indexes_bytes,
       (SELECT c.reltuples::bigint FROM pg_class c WHERE c.oid = 'eventcore.events'::regclass) AS events_estimate
  FROM eventcore.stat_appends a
 CROSS JOIN eventcore.stat_notifier n
 CROSS JOIN (SELECT eventcore_safe_position() AS safe_position) h
 CROSS JOIN (SELECT count(*) AS in_flight, coalesce(max(f.age_seconds), 0)::double precision AS in_flight_oldest_seconds
               FROM eventcore.stat_inflight f) i
  LEFT JOIN LATERAL (SELECT e.position, e.recorded_at FROM eventcore.events e ORDER BY e.position DESC LIMIT 1) l ON true";

/// The figures of this moment. About a millisecond, however many events there are.
///
/// # Errors
///
/// The role is no `eventcore_reader` (42501), or the connection is lost.
pub async fn stats(session: &Session) -> Result<Stats, Error> {
    let row = session.query_one(STATS, &[]).await?;
    Stats::from_row(&row)
}
