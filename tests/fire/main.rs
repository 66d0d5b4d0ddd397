//! The promises of eventcore under concurrency, crashes and faults: one module for each subject.

mod support;

mod client;
mod closed_streams;
mod commands;
mod conflicts;
mod copied_databases;
mod crash;
mod delay;
mod errors;
mod failover;
mod frozen;
mod idempotency;
mod locks;
mod notifier_faults;
mod notifier_returns;
mod notify;
mod order;
mod processes;
mod projections;
mod reinstall;
mod reload;
mod standby;
mod storm;
mod subscriptions;
mod upgrade;
