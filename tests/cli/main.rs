//! The command `eventcore` on a server: what each command prints, its JSON, its exit codes, and what
//! it makes of hostile names and small privileges.

mod support;

mod connection;
mod errors;
mod events;
mod hostile;
mod operate;
mod roles;
mod tail;
mod write;
