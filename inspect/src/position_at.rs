//! Which position belongs to a time.

use crate::error::Error;
use crate::session::Session;
use crate::time::Time;

const POSITION_AT: &str = "SELECT eventcore_position_at($1)";

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
