//! P16: an error of the server ends the statement in which it is raised, and nothing else.

mod backtraces;
mod cancelled;
mod injected;
mod lock_table;
mod memory;
pub(crate) mod scenarios;
mod workers;

use eventcore_harness::{Server, ServerOptions};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

use crate::support::*;

/// What a server's log contains only if one of its processes crashed and all sessions ended.
const CRASHES: [&str; 4] = [
    "was terminated by signal",
    "all server processes terminated",
    "PANIC:",
    "TRAP:",
];

/// A server of its own, for a test that may crash it.
fn own_server(options: ServerOptions) -> Server {
    Server::start(options.without_fsync()).unwrap()
}

/// Fails if any process of the server has crashed since the start.
fn assert_alive(server: &Server, after: &str) {
    let log = server.log();
    let crash = log
        .lines()
        .find(|line| CRASHES.iter().any(|crash| line.contains(crash)));
    assert_eq!(crash, None, "the server crashed {after}");
}

/// Runs one statement; returns the SQLSTATE of its error, if it raises one.
async fn outcome(session: &Session, statement: &str) -> Result<(), String> {
    match session.batch_execute(statement).await {
        Ok(()) => Ok(()),
        Err(error) if session.is_closed() => Err(format!("closed: {error}")),
        Err(error) => Err(sqlstate(&error).to_owned()),
    }
}
