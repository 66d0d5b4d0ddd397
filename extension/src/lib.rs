//! The PostgreSQL extension eventcore, in the order of an event's life.
//!
//! `sql/` holds what CREATE EXTENSION installs; [`functions`] connects its functions to the modules
//! below. All unsafe code is in [`pg`], which wraps what the server offers, and in [`functions`].

#![deny(unsafe_code)]
// Nothing here is called from Rust: the SQL is the interface, and it is documented there.
#![allow(unreachable_pub)]

::pgrx::pg_module_magic!(name, version);

/// What the server calls: the entry point of every SQL function.
#[allow(unsafe_code)]
mod functions;

/// Loading: settings, shared memory, hooks.
mod load;
mod settings;

/// Appending: from the arguments to the rows.
mod append;

/// Commands: from the input to the events, inside the server.
mod commands;

/// Functions of applications that run here, and what they may not do.
mod inside;

/// Positions: who may hold which, and up to where nothing can change any more.
mod registry;

/// Which history of the store this is, and who comes from another one.
mod history;

/// Reading: streams, the global order, heads.
mod filter;
mod heads;
mod read;
mod stream_list;

/// Our processes: what they are at, and what they do about what goes wrong.
mod trouble;
mod workers;

/// Waking up whoever waits for events.
mod freeze;
mod launcher;
mod notifier;
mod standby;
mod wait;
mod wake;

/// What durable subscriptions need beneath their SQL: a lock, a wait, a word to those who wait.
mod subscriptions;

/// Projections that run inside the server: by a worker, or in the transaction of the append.
mod projections;

/// Looking at all of this.
mod stat;

/// What goes around our functions: rows that come by SQL or from another database, events that are dropped by accident,
/// statements that would take our tables away from under us.
mod copies;
mod drop_guard;
mod foreign_rows;
mod statements;

/// The tables, their columns and their oids in this database.
mod catalog;

/// Every error that eventcore raises, with its SQLSTATE, DETAIL and HINT.
mod error;
mod sql_errors;

/// The server's C interface, made safe.
#[allow(unsafe_code)]
mod pg;

/// What `CREATE EXTENSION eventcore` runs, in this order.
mod install {
    use pgrx::extension_sql_file;

    extension_sql_file!("../../sql/tables.sql", name = "tables", bootstrap);
    extension_sql_file!(
        "../../sql/copies.sql",
        name = "copies",
        requires = ["tables"]
    );
    extension_sql_file!(
        "../../sql/history.sql",
        name = "history",
        requires = ["tables"]
    );
    extension_sql_file!(
        "../../sql/append.sql",
        name = "append",
        requires = ["copies", "history"]
    );
    extension_sql_file!("../../sql/read.sql", name = "read", requires = ["append"]);
    extension_sql_file!("../../sql/stat.sql", name = "stat", requires = ["read"]);
    extension_sql_file!(
        "../../sql/subscription_tables.sql",
        name = "subscription_tables",
        requires = ["stat"]
    );
    extension_sql_file!(
        "../../sql/subscription_support.sql",
        name = "subscription_support",
        requires = ["subscription_tables"]
    );
    extension_sql_file!(
        "../../sql/subscriptions.sql",
        name = "subscriptions",
        requires = ["subscription_support"]
    );
    extension_sql_file!(
        "../../sql/leasing.sql",
        name = "leasing",
        requires = ["subscriptions"]
    );
    extension_sql_file!("../../sql/poll.sql", name = "poll", requires = ["leasing"]);
    extension_sql_file!(
        "../../sql/deliveries.sql",
        name = "deliveries",
        requires = ["poll"]
    );
    extension_sql_file!(
        "../../sql/parked.sql",
        name = "parked",
        requires = ["deliveries"]
    );
    extension_sql_file!(
        "../../sql/stat_subscriptions.sql",
        name = "stat_subscriptions",
        requires = ["parked"]
    );
    extension_sql_file!(
        "../../sql/checkpoints.sql",
        name = "checkpoints",
        requires = ["stat_subscriptions"]
    );
    extension_sql_file!(
        "../../sql/snapshots.sql",
        name = "snapshots",
        requires = ["checkpoints"]
    );
    extension_sql_file!(
        "../../sql/commands.sql",
        name = "commands",
        requires = ["snapshots"]
    );
    extension_sql_file!(
        "../../sql/projection_tables.sql",
        name = "projection_tables",
        requires = ["commands"]
    );
    extension_sql_file!(
        "../../sql/projection_support.sql",
        name = "projection_support",
        requires = ["projection_tables"]
    );
    extension_sql_file!(
        "../../sql/projections.sql",
        name = "projections",
        requires = ["projection_support"]
    );
    extension_sql_file!(
        "../../sql/projection_parked.sql",
        name = "projection_parked",
        requires = ["projections"]
    );
    extension_sql_file!(
        "../../sql/projection_rebuilds.sql",
        name = "projection_rebuilds",
        requires = ["projection_parked"]
    );
    extension_sql_file!(
        "../../sql/adopt.sql",
        name = "adopt",
        requires = ["projection_rebuilds"]
    );
    extension_sql_file!("../../sql/check.sql", name = "check", requires = ["adopt"]);
    extension_sql_file!(
        "../../sql/privileges.sql",
        name = "privileges",
        requires = ["check"]
    );
    extension_sql_file!(
        "../../sql/roles.sql",
        name = "roles",
        requires = ["privileges"],
        finalize
    );
}

#[cfg(any(test, feature = "pg_test"))]
#[allow(unsafe_code)]
mod pg_tests;

#[cfg(test)]
pub mod pg_test {
    //! What `cargo pgrx test` asks of an extension.

    /// Called once before the tests.
    pub fn setup(_options: Vec<&str>) {}

    /// The settings of the server that the tests run in.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'eventcore'"]
    }
}
