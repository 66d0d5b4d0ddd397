#![doc = include_str!("guide.md")]

// The modules in reading order: each uses only those above it.

// Names, ids, numbers and JSON: everything else is made of them.
mod values;

// The trait `EventStore`, and what goes into a store and comes out of it.
mod store;

// How a command keeps its state, so that it need not read all events each time.
mod snapshot;

// What an application writes: commands that decide which events happen.
mod command;

// Runs a command: read, decide, append, try again after a conflict.
mod execute;

// Follows a store from a position on.
mod subscription;

// The trait `SubscriptionStore`: subscriptions that the store keeps for its consumers.
mod durable;

// Works through a durable subscription, each event at least once.
mod consumer;

// Process managers: reactions to events, each carried out once.
mod process;

// Read models whose checkpoint is in their own transaction: each event exactly once.
mod projection;

// The two stores.
mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;

// What the code that the derives write calls.
#[doc(hidden)]
pub mod derive_support;

pub use command::{
    AsyncCommandLogic, CommandError, CommandLogic, CommandStreams, Declaration, NewEvents, Stream,
    StreamField, StreamHandle, StreamResolver, Streams,
};
pub use consumer::{Consumer, ConsumerOptions, Delivery, HandlerError, Settled};
pub use durable::{
    Delivered, LeasedBatch, Nack, NackAction, NackOutcome, OnParked, ParkedEvent, StartFrom,
    SubscriptionDefinition, SubscriptionStore,
};
pub use eventcore_macros::{Command, Event};
pub use eventcore_rules::{ErrorCode, ExpectedVersion, VersionConflict};
pub use execute::{
    EventCache, Executable, ExecuteError, ExecuteOptions, Execution, RetryPolicy, WrittenEvent,
    execute, execute_with,
};
pub use memory::{InMemoryEventStore, MemoryTransaction};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresEventStore, PostgresSession, PostgresTransaction};
pub use process::{
    ProcessError, ProcessManager, ProcessOptions, Reaction, Trigger, run_process_manager,
    run_process_manager_until_idle, run_process_manager_with,
};
pub use projection::{
    OnDiverged, OnUndecodable, Projection, ProjectionError, ProjectionOptions, ProjectionStore,
    run_projection, run_projection_until, run_projection_with,
};
pub use snapshot::{Folded, Snapshots, StateCache};
pub use store::{
    Append, Appended, Direction, Event, EventError, EventStore, Filter, NewEvent, ReadAll,
    ReadStream, ReadStreams, RecordedEvent, Rejection, Snapshot, StoreError, StoredEvent,
    StreamsRead,
};
pub use subscription::{
    EventSubscription, FollowError, Followed, Page, PageRequest, Subscribe, Subscription,
    TypedSubscription, WithSignals,
};
pub use values::{
    CausationId, ConsumerName, CorrelationId, EventId, EventType, InvalidValue, LeaseId, Metadata,
    Payload, Position, ProcessId, ProjectionName, SnapshotName, StreamId, StreamVersion,
    SubscriptionName,
};

#[cfg(doctest)]
mod book;
