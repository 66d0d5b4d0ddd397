//! Appends by pgbench, and statements that one session repeats.

use std::time::{Duration, Instant};

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::{Clients, Script};

use crate::Growth;

pub(crate) const WRITERS: u32 = 16;

/// Until all clients have connected and prepared their statement.
const WARM_UP: Duration = Duration::from_secs(2);

/// About 120 bytes of JSON.
pub(crate) const PAYLOAD: &str = r#"{"from": "account-000123", "to": "account-000456", "cents": 123456, "currency": "EUR", "reference": "invoice 2026-11-001"}"#;

/// Appends of one event to a new stream.
pub(crate) fn new_streams() -> Script {
    Script {
        sql: include_str!("../append/scripts/one_event.sql"),
        variables: vec![("payload", PAYLOAD.to_owned())],
        written: "SELECT eventcore_safe_position()",
    }
}

/// Appends of one event to one of the streams `filled-0` and on, at any version.
pub(crate) fn existing_streams(streams: u64) -> Script {
    const APPEND: &str = "\\set n random(0, :streams - 1)\n\
        SELECT * FROM eventcore_append(ARRAY['filled-' || :n], '{NULL}', ARRAY['filled-' || :n], '{MoneyMoved}', ARRAY[:payload::jsonb], NULL);\n";
    Script {
        sql: APPEND,
        variables: vec![
            ("payload", PAYLOAD.to_owned()),
            ("streams", streams.to_string()),
        ],
        written: "SELECT eventcore_safe_position()",
    }
}

impl Growth {
    /// Clients that append when they are told to.
    pub(crate) async fn writers(&self, database: &Database, script: &Script) -> Result<Clients> {
        // They end long after the last turn; the bench ends them then.
        let at_most = Duration::from_secs(3600);
        Clients::start(database, script, WRITERS, WARM_UP, at_most).await
    }
}

/// How often a second something can be done, one after the other.
pub(crate) async fn rate(
    slice: Duration,
    mut work: impl AsyncFnMut() -> Result<()>,
) -> Result<f64> {
    let start = Instant::now();
    let mut done = 0_u32;
    while start.elapsed() < slice {
        work().await?;
        done += 1;
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}
