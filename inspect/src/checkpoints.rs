//! Checkpoints of projections that run in clients.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{all, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A row of `eventcore.checkpoints`, and how far it is behind.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    pub struct Checkpoint {
        /// The projection.
        pub projection: String,
        /// The position up to which it has taken effect.
        pub position: i64,
        /// When it was advanced last.
        pub changed_at: Time,
        /// The position up to which events can be read.
        pub safe_position: i64,
        /// The number of positions between the two, an upper bound of the events that are left.
        pub lag_events: i64,
        /// Whether it is a copy that belongs to another database.
        pub is_copy: bool,
    }
}

macro_rules! checkpoints {
    ($rest:literal) => {
        concat!(
            "\
SELECT c.projection, c.position, c.changed_at, h.safe_position,
       (SELECT greatest(h.safe_position - c.position - coalesce(sum(greatest(
                   least(h.safe_position, y.first_position) - greatest(c.position, y.reserved_position), 0)), 0), 0)::bigint
          FROM eventcore.history y WHERE y.cause <> 'new') AS lag_events,
       c.home_id <> eventcore.home_id() AS is_copy
  FROM eventcore.checkpoints c CROSS JOIN (SELECT eventcore_safe_position() AS safe_position) h ",
            $rest
        )
    };
}

const LIST: &str = checkpoints!("ORDER BY c.projection");
const LIST_AFTER: &str = checkpoints!("WHERE c.projection > $1 ORDER BY c.projection LIMIT $2");

/// All checkpoints, by projection.
///
/// # Errors
///
/// The role is no `eventcore_subscriber` (42501), or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<Checkpoint>, Error> {
    all(session, LIST, &[]).await
}

/// Checkpoints after this projection, in the order of the bytes of their names. The first page is
/// after the empty name.
///
/// # Errors
///
/// Like [`list`].
pub async fn list_after(
    session: &Session,
    after: &str,
    limit: i64,
) -> Result<Vec<Checkpoint>, Error> {
    all(session, LIST_AFTER, &[&after, &limit]).await
}
