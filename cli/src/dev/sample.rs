//! Sample data: accounts with commands, a projection, and a subscription with a parked event.

use eventcore_inspect::{Error, Session};

use crate::failure::Failure;

const SAMPLE: &str = include_str!("sample.sql");

/// What is between two transactions.
const COMMITTED: &str = "-- A transaction of its own.\n";

/// Fills a database that has the extension and nothing else.
pub(super) async fn fill(session: &Session) -> Result<(), Failure> {
    // The session finds only what is in the extension's schema, and the server's own.
    let schema = &session.extension()?.schema;
    let set = format!("SET search_path = {schema}, pg_temp");
    for sql in std::iter::once(set.as_str()).chain(SAMPLE.split(COMMITTED)) {
        let done = session.client().batch_execute(sql).await;
        done.map_err(Error::from)?;
    }
    Ok(())
}
