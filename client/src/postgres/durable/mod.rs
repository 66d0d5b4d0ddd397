//! The durable subscriptions of the store on PostgreSQL.

mod poll;
mod returned;
mod sql;
mod store;
mod watches;

pub(super) use self::returned::Returned;
pub(crate) use self::sql::ack_in;
pub(super) use self::watches::Watches;
