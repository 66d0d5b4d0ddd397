//! The durable subscriptions of the store on PostgreSQL.

mod delivery;
mod poll;
mod poll_locks;
mod redelivery;
mod sql;
mod store;

pub(super) use self::poll_locks::PollLocks;
pub(super) use self::redelivery::RedeliverySignal;
