//! The command `eventcore` on a server: what each command prints, its JSON, its exit codes, and what
//! it makes of hostile names and small privileges.

mod support;

mod command_states;
mod connection;
mod dev;
mod doctor;
mod errors;
mod events;
mod export;
mod hostile;
mod interrupted;
mod metrics;
mod operate;
mod programs;
mod readme;
mod rehearsal;
mod roles;
mod schemas;
mod setup;
mod tail;
mod top;
mod waiting;
mod waits;
mod write;
