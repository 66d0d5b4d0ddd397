#![doc = include_str!("guide.md")]

// What an application writes.
mod command;
mod event;

// Running it.
mod execute;
mod observe;
mod rejection;
mod snapshot;
mod state_cache;

// Stores.
mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
mod store;
mod store_error;

// Following a store.
mod follow_error;
mod own_events;
mod page;
mod signals;
mod subscription;
mod typed_subscription;

// Working through it, each event at least once, or exactly once.
mod consumer;
mod durable;
mod process;
mod projection;

// What goes into a store, and what comes out.
mod append;
mod json;
mod metadata;
mod payload;
mod query;
mod sendable;
mod stored_event;

// Values.
mod chain;
mod fresh;
mod ids;
mod invalid;
mod names;
mod numbers;

#[doc(hidden)]
pub mod derive_support;

pub use append::{Append, Appended, NewEvent};
pub use command::{
    AsyncCommandLogic, CommandError, CommandLogic, CommandStreams, Declaration, NewEvents, Stream,
    StreamField, StreamHandle, StreamResolver, Streams,
};
pub use consumer::{Consumer, ConsumerOptions, Delivery, HandlerError, Settled};
pub use durable::{
    Delivered, LeasedBatch, Nack, NackAction, NackOutcome, OnParked, ParkedEvent, StartFrom,
    SubscriptionDefinition, SubscriptionStore,
};
pub use event::{Event, EventError};
pub use eventcore_macros::{Command, Event};
pub use eventcore_rules::{ErrorCode, ExpectedVersion, VersionConflict};
pub use execute::{
    Executable, ExecuteError, ExecuteOptions, Execution, RetryPolicy, WrittenEvent, execute,
    execute_with,
};
pub use follow_error::FollowError;
pub use ids::{CausationId, CorrelationId, EventId, LeaseId};
pub use invalid::InvalidValue;
pub use memory::{InMemoryEventStore, MemoryTransaction};
pub use metadata::Metadata;
pub use names::{
    ConsumerName, EventType, ProcessId, ProjectionName, SnapshotName, StreamId, SubscriptionName,
};
pub use numbers::{Position, StreamVersion};
pub use page::Page;
pub use payload::Payload;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresEventStore, PostgresTransaction};
pub use process::{
    ProcessError, ProcessManager, ProcessOptions, Reaction, Trigger, run_process_manager,
    run_process_manager_until_idle, run_process_manager_with,
};
pub use projection::{
    OnDiverged, OnUndecodable, Projection, ProjectionError, ProjectionOptions, ProjectionStore,
    run_projection, run_projection_until, run_projection_with,
};
pub use query::{Direction, Filter, ReadAll, ReadStream, ReadStreams, StreamsRead};
pub use rejection::Rejection;
pub use signals::{Followed, WithSignals};
pub use snapshot::{Folded, Snapshot, Snapshots};
pub use state_cache::StateCache;
pub use store::{EventStore, EventSubscription};
pub use store_error::StoreError;
pub use stored_event::{RecordedEvent, StoredEvent};
pub use subscription::{PageRequest, Subscribe, Subscription};
pub use typed_subscription::TypedSubscription;

/// Runs the Rust of the project's README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
