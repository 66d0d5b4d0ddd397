//! A projection inside the server that writes the position of each event. A unique key refuses an
//! event that comes twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_postgres::Client;

use crate::history::Violation;

/// Runs as the role that owns it. `retry_limit => 0`: an event that comes twice stops it.
pub(super) const CREATE: &str = "
    CREATE TABLE app.seen (position bigint PRIMARY KEY);
    CREATE FUNCTION app.see(e eventcore.events) RETURNS void
        LANGUAGE sql AS 'INSERT INTO app.seen VALUES (e.position)';
    SELECT eventcore_create_projection('seen', 'app.see', retry_limit => 0);";

const STATE: &str = "SELECT (SELECT count(*) FROM app.seen), status::text, coalesce(last_error, '')
                       FROM eventcore.stat_projections WHERE name = 'seen'";

/// Waits until the projection has written one row per event; returns the rows.
pub(super) async fn finish(
    client: &Client,
    events: usize,
    limit: Duration,
) -> Result<(BTreeSet<i64>, Vec<Violation>)> {
    let start = Instant::now();
    let mut violations = Vec::new();
    loop {
        let row = client.query_one(STATE, &[]).await?;
        let (count, status, error): (i64, String, String) = (row.get(0), row.get(1), row.get(2));
        if usize::try_from(count).ok() == Some(events) {
            break;
        }
        if status == "failed" || start.elapsed() > limit {
            violations.push(Violation::Other(format!(
                "projection: {count} of {events} events, {status} after {:.0} s, last error: {error}",
                start.elapsed().as_secs_f64()
            )));
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let rows = client.query("SELECT position FROM app.seen", &[]).await?;
    Ok((rows.iter().map(|row| row.get(0)).collect(), violations))
}
