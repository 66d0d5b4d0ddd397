//! Durable subscriptions: their progress, their leases, and their parked events.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::error::Error;
use crate::event::{Event, event_columns};
use crate::row::{FromRow, all, from_row, named};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A row of `eventcore.stat_subscriptions`.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    #[expect(missing_docs, reason = "the view describes its columns")]
    pub struct Subscription {
        pub name: String,
        pub paused: bool,
        pub checkpoint: i64,
        pub safe_position: i64,
        pub lag_events: i64,
        pub lag_seconds: f64,
        pub leased: i64,
        pub leases: i64,
        pub consumers: i64,
        pub waiting: i64,
        pub retrying: i64,
        pub streams_behind: i64,
        pub parked: i64,
        pub streams_stopped: i64,
        pub last_error: Option<String>,
        pub last_error_at: Option<Time>,
        pub read_position: i64,
        pub stream_prefixes: Option<Vec<String>>,
        pub event_types: Option<Vec<String>>,
        pub lease_seconds: f64,
        pub retry_limit: i32,
        pub on_parked: String,
        pub created_at: Time,
        pub is_copy: bool,
        pub oldest_parked_at: Option<Time>,
        pub expired_leases: i64,
        pub oldest_expired_at: Option<Time>,
    }
}

macro_rules! subscriptions {
    ($rest:literal) => {
        concat!("SELECT * FROM eventcore.stat_subscriptions ", $rest)
    };
}

const LIST: &str = subscriptions!("ORDER BY name");
const LIST_AFTER: &str = subscriptions!("WHERE name > $1 ORDER BY name LIMIT $2");
const SHOW: &str = subscriptions!("WHERE name = $1");

/// All subscriptions, by name.
///
/// # Errors
///
/// The role may not read the view, or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Subscription>, Error> {
    all(session, LIST, &[]).await
}

/// Subscriptions after this name, in the order of the bytes of their names. The first page is after the
/// empty name.
///
/// # Errors
///
/// Like [`list`].
pub async fn list_after(
    session: &Session,
    after: &str,
    limit: i64,
) -> Result<Vec<Subscription>, Error> {
    all(session, LIST_AFTER, &[&after, &limit]).await
}

/// One subscription.
///
/// # Errors
///
/// There is none of this name, the role may not read the view, or the connection is lost.
pub async fn show(session: &Session, name: &str) -> Result<Subscription, Error> {
    named(session, SHOW, "subscription", name).await
}

from_row! {
    /// The events that one consumer holds.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct Lease {
        /// The lease, as a poll returned it.
        pub lease_id: Uuid,
        /// The consumer.
        pub consumer: String,
        /// When it ends.
        pub leased_until: Time,
        /// Whether it has ended and no poll has taken its events back yet.
        pub is_expired: bool,
        /// How many events it holds.
        pub events: i64,
        /// The first of these events.
        pub first_position: Option<i64>,
        /// The last of these events.
        pub last_position: Option<i64>,
    }
}

const LEASES: &str = "\
SELECT l.lease_id, l.consumer, l.leased_until, l.leased_until <= clock_timestamp() AS is_expired,
       count(*) AS events, min(e.position) AS first_position, max(e.position) AS last_position
  FROM eventcore.subscriptions s
  JOIN eventcore.leases l ON l.subscription_id = s.id
  JOIN eventcore.deliveries d ON d.lease_id = l.lease_id
 CROSS JOIN LATERAL unnest(coalesce(d.positions, ARRAY[d.position])) e (position)
 WHERE s.name = $1
   AND NOT EXISTS (SELECT FROM eventcore.acknowledged a
                    WHERE a.subscription_id = s.id AND a.lease_id = l.lease_id AND a.position = e.position)
 GROUP BY l.lease_id, l.consumer, l.leased_until
 ORDER BY l.leased_until";

/// The leases of a subscription that hold events, those that end first at the beginning.
///
/// # Errors
///
/// The role is no `eventcore_subscriber` (42501), or the connection is lost.
pub async fn leases(session: &Session, name: &str) -> Result<Vec<Lease>, Error> {
    all(session, LEASES, &[&name]).await
}

/// An event that was set aside, and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// How often it was delivered.
    pub attempts: i32,
    /// Why it was set aside.
    pub reason: Option<String>,
    /// When it was set aside.
    pub parked_at: Time,
    /// The consumer that had it last.
    pub consumer: Option<String>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

impl FromRow for ParkedEvent {
    fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            attempts: row.try_get("attempts")?,
            reason: row.try_get("reason")?,
            parked_at: row.try_get("parked_at")?,
            consumer: row.try_get("consumer")?,
            event: Event::from_row(row)?,
        })
    }
}

const PARKED: &str = concat!(
    "SELECT e.attempts, e.reason, e.parked_at, e.consumer, ",
    event_columns!(),
    " FROM eventcore_parked($1, $2, $3) e"
);

/// The parked events of a subscription after a position, in order of position.
///
/// # Errors
///
/// There is no such subscription (SE007), the role is no `eventcore_subscriber` (42501), or the
/// connection is lost.
pub async fn parked(
    session: &Session,
    name: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<ParkedEvent>, Error> {
    all(session, PARKED, &[&name, &after, &limit]).await
}

from_row! {
    /// A stream that stands still for a parked event.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct StoppedStream {
        /// The stream.
        pub stream_id: String,
        /// The position of its first parked event.
        pub first_parked: i64,
        /// How many of its events are parked.
        pub parked: i64,
    }
}

const STOPPED: &str = "\
SELECT k.stream_id, min(k.position) AS first_parked, count(*) AS parked
  FROM eventcore.subscriptions s JOIN eventcore.parked k ON k.subscription_id = s.id
 WHERE s.name = $1 AND s.on_parked = 'stop' AND k.stream_id > $2
 GROUP BY k.stream_id ORDER BY k.stream_id LIMIT $3";

/// The streams after this one that the subscription has stopped, in the order of the bytes of their
/// names. None if it goes on after a parked event. The first page is after the empty name.
///
/// # Errors
///
/// The role is no `eventcore_subscriber` (42501), or the connection is lost.
pub async fn stopped(
    session: &Session,
    name: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<StoppedStream>, Error> {
    all(session, STOPPED, &[&name, &after, &limit]).await
}

from_row! {
    /// An event that has failed and will be delivered again.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct RetryingEvent {
        /// The event.
        pub position: i64,
        /// Its stream.
        pub stream_id: String,
        /// Its version.
        pub version: i64,
        /// How often it has failed.
        pub failures: i32,
        /// Why it failed last.
        pub reason: Option<String>,
        /// When it failed last.
        pub failed_at: Option<Time>,
        /// The consumer that had it then.
        pub consumer: Option<String>,
        /// When it is delivered again; `None` while a lease holds it.
        pub not_before: Option<Time>,
    }
}

const RETRYING: &str = "\
SELECT d.position, d.stream_id, d.version, d.failures, d.reason, d.failed_at, d.consumer,
       CASE WHEN d.lease_id IS NULL THEN greatest(d.not_before, d.failed_at) END AS not_before
  FROM eventcore.subscriptions s JOIN eventcore.deliveries d ON d.subscription_id = s.id
 WHERE s.name = $1 AND d.failures > 0 AND d.position > $2
 ORDER BY d.position LIMIT $3";

/// The events after a position that have failed and are neither acknowledged nor parked, in order of
/// position.
///
/// # Errors
///
/// The role is no `eventcore_subscriber` (42501), or the connection is lost.
pub async fn retrying(
    session: &Session,
    name: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<RetryingEvent>, Error> {
    all(session, RETRYING, &[&name, &after, &limit]).await
}
