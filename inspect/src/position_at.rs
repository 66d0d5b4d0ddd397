//! Which position belongs to a time.

use crate::error::Error;
use crate::session::Session;
use crate::time::Time;

/// Halves the positions until none is left between an event before the time and one that is not.
/// Each step reads one event; there are at most 62.
const POSITION_AT: &str = "\
WITH RECURSIVE halving (low, high) AS (
    SELECT 0::bigint, coalesce((SELECT max(position) FROM eventcore.events), 0)
     UNION ALL
    SELECT CASE WHEN e.recorded_at < $1 THEN e.position ELSE h.low END,
           CASE WHEN e.recorded_at < $1 THEN h.high ELSE h.low + (h.high - h.low) / 2 END
      FROM halving h
      LEFT JOIN LATERAL (
           SELECT v.position, v.recorded_at FROM eventcore.events v
            WHERE v.position > h.low + (h.high - h.low) / 2 AND v.position <= h.high
            ORDER BY v.position LIMIT 1) e ON true
     WHERE h.low < h.high)
SELECT low FROM halving WHERE low = high LIMIT 1";

/// The position before the first event of this time or later. 0 if the first event is later.
///
/// Times rise with positions but for appends that ran at the same moment, and for a clock that was
/// set back. So an event near the position may be off by as much.
///
/// # Errors
///
/// The role may not read events, or the connection is lost.
pub async fn position_at(session: &Session, time: Time) -> Result<i64, Error> {
    let row = session.query_one(POSITION_AT, &[&time]).await?;
    Ok(row.try_get(0)?)
}
