//! Streams: a list of them, and one of them.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{FromRow, all, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A stream.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct StreamSummary {
        /// Its name.
        pub stream_id: String,
        /// The version of its last event; 0 if it has no event.
        pub version: i64,
        /// `open`, `closed` or `deleted`.
        pub state: String,
        /// The position of its last event.
        pub last_position: Option<i64>,
        /// The type of its last event.
        pub last_event_type: Option<String>,
        /// When its last event was written.
        pub last_recorded_at: Option<Time>,
    }
}

/// Which streams to list.
#[derive(Debug, Clone, Default)]
pub struct StreamFilter {
    /// Only streams whose name begins with this, byte by byte.
    pub prefix: String,
    /// Only streams after this one, in the order of bytes: the last one of the page before.
    pub after: Option<String>,
}

impl StreamFilter {
    /// All streams whose name begins with this.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            after: None,
        }
    }

    /// The same after this stream.
    #[must_use]
    pub fn after(mut self, stream: impl Into<String>) -> Self {
        self.after = Some(stream.into());
        self
    }
}

const LIST: &str = "\
SELECT s.stream_id, s.version, s.state, s.last_position, s.last_event_type, s.last_recorded_at
  FROM eventcore_streams($1, $2, $3) s";

/// At most `limit` streams, in the order of the bytes of their names.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn list(
    session: &Session,
    filter: &StreamFilter,
    limit: i64,
) -> Result<Vec<StreamSummary>, Error> {
    let after = filter.after.as_deref().unwrap_or_default();
    all(session, LIST, &[&filter.prefix, &after, &limit]).await
}

/// Streams whose name contains a text.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Containing {
    /// Those found.
    pub streams: Vec<StreamSummary>,
    /// How many streams were looked at.
    pub searched: u64,
    /// The stream after which to go on; `None` if all were looked at.
    pub next: Option<String>,
}

/// How many streams one statement skips through. About 0.1 s of work.
const PAGE: i64 = 10_000;

/// Streams whose name contains a text, case sensitive. It looks at all streams of the filter until
/// it has found `limit` or the time is up.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn containing(
    session: &Session,
    filter: &StreamFilter,
    text: &str,
    limit: usize,
    longest: Duration,
) -> Result<Containing, Error> {
    let began = Instant::now();
    let mut filter = filter.clone();
    let mut found = Containing {
        streams: Vec::new(),
        searched: 0,
        next: None,
    };
    loop {
        let page = list(session, &filter, PAGE).await?;
        let is_last = i64::try_from(page.len()).is_ok_and(|length| length < PAGE);
        for stream in page {
            if found.streams.len() == limit {
                found.next = filter.after;
                return Ok(found);
            }
            found.searched += 1;
            filter.after = Some(stream.stream_id.clone());
            if stream.stream_id.contains(text) {
                found.streams.push(stream);
            }
        }
        if is_last {
            return Ok(found);
        }
        if began.elapsed() >= longest {
            found.next = filter.after;
            return Ok(found);
        }
    }
}

from_row! {
    /// One stream in detail.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct StreamDetail {
        /// Its name.
        pub stream_id: String,
        /// The version of its last event; 0 if it has no event.
        pub version: i64,
        /// `open`, `closed` or `deleted`.
        pub state: String,
        /// When it was closed or deleted.
        pub changed_at: Option<Time>,
        /// The role that closed or deleted it.
        pub changed_by: Option<String>,
        /// The reason that this role gave.
        pub reason: Option<String>,
        /// The version of its first event that is still there.
        pub first_version: Option<i64>,
        /// The position of that event.
        pub first_position: Option<i64>,
        /// When that event was written.
        pub first_recorded_at: Option<Time>,
        /// The position of its last event.
        pub last_position: Option<i64>,
        /// The type of its last event.
        pub last_event_type: Option<String>,
        /// When its last event was written.
        pub last_recorded_at: Option<Time>,
    }
}

const SHOW: &str = "\
SELECT n.stream_id, coalesce(l.version, 0) AS version, coalesce(t.state, 'open') AS state,
       t.changed_at, t.changed_by::text AS changed_by, t.reason,
       f.version AS first_version, f.position AS first_position, f.recorded_at AS first_recorded_at,
       l.position AS last_position, l.event_type AS last_event_type, l.recorded_at AS last_recorded_at
  FROM (SELECT $1::text COLLATE \"C\" AS stream_id) n
  LEFT JOIN eventcore.streams t ON t.stream_id = n.stream_id
  LEFT JOIN LATERAL (SELECT * FROM eventcore.events e WHERE e.stream_id = n.stream_id ORDER BY e.version LIMIT 1) f ON true
  LEFT JOIN LATERAL (SELECT * FROM eventcore.events e WHERE e.stream_id = n.stream_id ORDER BY e.version DESC LIMIT 1) l ON true
 WHERE t.stream_id IS NOT NULL OR l.stream_id IS NOT NULL";

/// One stream. `NotFound` if it has no event and was never closed.
///
/// # Errors
///
/// There is no such stream, the role may not read events, or the connection is lost.
pub async fn show(session: &Session, stream: &str) -> Result<StreamDetail, Error> {
    let row = session.query_opt(SHOW, &[&stream]).await?;
    let row = row.ok_or_else(|| Error::not_found(format!("there is no stream {stream:?}")))?;
    StreamDetail::from_row(&row)
}
