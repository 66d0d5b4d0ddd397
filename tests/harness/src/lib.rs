//! Private PostgreSQL servers for tests and benches: started in a temporary folder on a unix
//! socket, stopped and deleted when dropped, also when the test panics or its process is killed.
//!
//! ```no_run
//! use eventcore_harness::{Server, ServerOptions};
//!
//! let server = Server::start(ServerOptions::new())?;
//! let url = server.create_database("bank")?;
//! server.psql("bank", "SELECT eventcore_safe_position()")?;
//! # Ok::<(), eventcore_harness::Error>(())
//! ```
//!
//! Tests that need no server of their own share one: [`shared()`] and a database each.

mod account;
mod binaries;
mod cluster;
mod database;
mod error;
mod options;
mod pgbouncer;
mod process;
mod scripts;
mod secret;
mod server;
mod standby;
mod temp;
mod upgrade;
mod url;
mod watchdog;

pub use account::Account;
pub use binaries::{Binaries, PG_BIN, PG_CACHE, PG_MAJORS};
pub use cluster::initdb;
pub use error::{Error, Result};
pub use options::ServerOptions;
pub use pgbouncer::{PgBouncer, pgbouncer_program};
pub use process::{run, signal};
pub use scripts::WithScripts;
pub use secret::random_password;
pub use server::{Server, shared};
pub use temp::{MAX_SOCKET_PATH, fits_socket};
pub use url::{ConnectionUrl, SUPERUSER};
