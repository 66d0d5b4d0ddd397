//! Durable subscriptions: the store keeps a reader's position under a name. Consumers share the
//! work and acknowledge the events that they have handled.

mod definition;
mod delivered;
mod nack;
mod store;

pub use definition::{OnParked, StartFrom, SubscriptionDefinition};
pub use delivered::{Delivered, LeasedBatch, ParkedEvent};
pub use nack::{Nack, NackAction, NackOutcome};
pub use store::SubscriptionStore;
