//! Durable subscriptions: a place in the global order that the store keeps under a name, for consumers
//! that share the work and acknowledge what they have done.

mod definition;
mod delivered;
mod nack;
mod store;

pub use definition::{OnParked, StartFrom, SubscriptionDefinition};
pub use delivered::{Delivered, LeasedBatch, ParkedEvent};
pub use nack::{Nack, NackAction, NackOutcome};
pub use store::SubscriptionStore;
