//! What each function of the SQL surface does, and how it reports bad input. The tests cite the
//! promises that they prove by number (`P1` …); see `docs/promises.md`.

mod support;

mod append;
mod append_forms;
mod append_size;
mod append_transactions;
mod bad_input;
mod beside;
mod check;
mod client_contract;
mod commands;
mod connections;
mod copies;
mod direct_writes;
mod documentation;
mod doors;
mod drivers;
mod drop_extension;
mod early_lock_release;
mod error_fields;
mod foreign_rows;
mod immutability;
mod install;
mod listen;
mod malformed;
mod pgbouncer;
mod portability;
mod privileges;
mod projections;
mod read;
mod read_all;
mod read_checkpoint;
mod read_context;
mod readme;
mod recipes;
mod repeat;
mod round_trips;
mod snapshots;
mod stat;
mod stat_notifier;
mod subscriptions;
mod symbols;
mod tls;
mod values;
mod wait;
