//! The values that everything else is made of: names, ids, numbers and JSON. Each is checked when
//! it is made.

pub(crate) mod error_chain;
mod ids;
mod invalid_value;
pub(crate) mod json;
mod metadata;
mod names;
mod numbers;
pub(crate) mod own_events;
mod payload;
mod uuid_v7;

pub use self::ids::{CausationId, CorrelationId, EventId, LeaseId};
pub use self::invalid_value::InvalidValue;
pub use self::metadata::Metadata;
pub use self::names::{
    ConsumerName, EventType, ProcessId, ProjectionName, SnapshotName, StreamId, SubscriptionName,
};
pub use self::numbers::{Position, StreamVersion};
pub use self::payload::Payload;
