//! The PostgreSQL extension eventcore.
//!
//! `sql/` contains what CREATE EXTENSION installs, and [`functions`] connects its functions to the
//! modules below. All unsafe code is in [`pg`], which wraps the server's C interface, and in
//! [`functions`] and [`load`], which the server calls.

#![deny(unsafe_code)]
// Nothing here is called from Rust. The interface is SQL and is documented there.
#![allow(unreachable_pub)]

// What pg_get_loaded_modules of PostgreSQL 18 shows. Without values, this macro takes the version for
// the name.
::pgrx::pg_module_magic!(name = c"eventcore", version = functions::VERSION);

/// What the server calls: the entry point of every SQL function and of every background process.
#[allow(unsafe_code)]
mod functions;

/// Loading the library: settings, shared memory, hooks.
mod load;
mod settings;

/// Appending: from the arguments to the rows.
mod append;

/// Commands: from the input to the events, inside the server.
mod commands;

/// Reading streams and the global order, and refusing readers that come from another history.
mod read;

/// Waiting for events, on a primary and on a hot standby.
mod wait;

/// What the SQL of durable subscriptions needs from Rust: a lock, a wait, and a wake-up at the end
/// of a transaction.
mod subscriptions;

/// Projections that run inside the server: in a worker, or in the transaction of the append.
mod projections;

/// The background workers that turn new events into notifications.
mod notify;

/// The functions behind the monitoring views.
mod stat;

/// What protects the tables against statements of others, and applications against appending where
/// they must not.
mod guards;

/// The positions in flight, in shared memory: who may hold which, and which position is safe to
/// read up to.
mod registry;

/// What all background processes share: a slot that shows their state, retries, and a trace after a
/// crash.
mod processes;

/// Arguments that several functions take.
mod arguments;

/// Locks on streams, subscriptions, executions, projections and states.
mod locks;

/// The tables of the extension: their OIDs, their columns, and how to open them.
mod tables;

/// Every error that this library raises, with its SQLSTATE, DETAIL and HINT.
mod error;

/// The server's C interface, made safe.
#[allow(unsafe_code)]
mod pg;
