//! Closing a stream: it takes no more events.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::streams::{StreamDetail, show};

/// A stream that takes no more events.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Closed {
    /// Whether it was open before this call.
    pub was_open: bool,
    /// The stream, with the reason that counts.
    #[serde(flatten)]
    pub stream: StreamDetail,
}

/// The append writes nothing. It takes the lock of the stream, so that an append that is under way
/// ends before the stream is closed, and it fails if the stream is closed or has no event.
const CLOSE: &str = "\
WITH locked AS MATERIALIZED (
    SELECT a.versions FROM eventcore_append(ARRAY[$1::text], ARRAY[-1]::bigint[], '[]'::jsonb) a
)
INSERT INTO eventcore.streams (stream_id, state, reason) SELECT $1::text, 'closed', $2::text FROM locked
ON CONFLICT DO NOTHING RETURNING stream_id";

/// SE005: it is closed or deleted.
const CLOSED: &str = "SE005";

/// Closes a stream for good. A stream that is closed or deleted already stays as it is. Needs the
/// rights of the owner of the extension.
///
/// # Errors
///
/// There is no such stream, the role may not (42501), or the connection is lost.
pub async fn close(session: &Session, stream: &str, reason: &str) -> Result<Closed, Error> {
    let was_open = match session.query_opt(CLOSE, &[&stream, &reason]).await {
        Ok(row) => row.is_some(),
        Err(error) if error.sqlstate() == Some(CLOSED) => false,
        // It has no event: there is no such stream, or it was closed while it was empty.
        Err(error) if error.kind() == ErrorKind::Conflict => false,
        Err(error) => return Err(error),
    };
    let stream = show(session, stream).await?;
    Ok(Closed { was_open, stream })
}
