//! What the command `eventcore`, its console and its metrics ask of an eventcore database: queries
//! that stay cheap however many events there are, checks, and one table of metrics. It prints
//! nothing.
//!
//! Each query is a function that takes a [`Session`]. A session may run several at the same time.
//! All of them work with the roles that the manual names, and none reads more events than it says.
//!
//! ```no_run
//! use eventcore_inspect::connection::{Environment, Given, resolve};
//! use eventcore_inspect::streams::{self, StreamFilter};
//! use eventcore_inspect::{Session, SessionOptions};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let target = resolve(&Given::default(), &Environment::of_process())?;
//! let session = Session::open(&target, &SessionOptions::read_only("my tool")).await?;
//! for stream in streams::list(&session, &StreamFilter::prefix("account-"), 50).await? {
//!     println!("{} {}", stream.stream_id, stream.version);
//! }
//! # Ok(())
//! # }
//! ```

// Where the server is, as psql finds it.
pub mod connection;

// One connection, and what can go wrong on it.
mod error;
mod session;
mod transaction;

// What a row consists of, and how people write and read it.
mod event;
pub mod pointer;
mod row;
pub mod since;
pub mod text;
mod time;

// The events.
pub mod events;
pub mod export;
pub mod position_at;
pub mod search;
pub mod streams;
pub mod trace;

// What reads and writes them.
pub mod checkpoints;
pub mod commands;
pub mod inflight;
pub mod projections;
pub mod settings;
pub mod stats;
pub mod subscriptions;
pub mod waits;

// What is wrong, and what to measure.
pub mod doctor;
pub mod metrics;

// What changes something.
pub mod actions;
pub mod append;
pub mod close;
pub mod execute;
pub mod import;
pub mod setup;

pub use error::{Error, ErrorKind};
pub use event::{Event, EventHead};
pub use session::{Extension, Session, SessionOptions};
pub use time::Time;
