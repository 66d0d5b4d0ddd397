//! Multi-stream event sourcing, on PostgreSQL with the extension `eventcore` or in memory.
//!
//! A *command* names the streams that its decision depends on. Its events are written, to any of these
//! streams, only if none of them has moved since it read them; otherwise it decides again.
//!
//! ```
//! use eventcore::{
//!     Command, CommandError, CommandLogic, Event, InMemoryEventStore, NewEvents, StoredEvent,
//!     StreamId, Streams, emit, execute, require,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! // What can happen. The payload of an event is its fields.
//! #[derive(Debug, Serialize, Deserialize, Event)]
//! enum AccountEvent {
//!     Deposited { cents: u64 },
//!     Withdrawn { cents: u64 },
//! }
//!
//! // What can be asked for. The fields marked `#[stream]` are read and checked.
//! #[derive(Command)]
//! struct Deposit {
//!     #[stream]
//!     account: StreamId,
//!     cents: u64,
//! }
//!
//! #[derive(Command)]
//! struct Transfer {
//!     #[stream]
//!     from: StreamId,
//!     #[stream]
//!     to: StreamId,
//!     cents: u64,
//! }
//!
//! impl CommandLogic for Deposit {
//!     type State = ();
//!     type Event = AccountEvent;
//!
//!     fn apply(&self, state: (), _: &StoredEvent<AccountEvent>) {
//!         state
//!     }
//!
//!     fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
//!         let mut events = NewEvents::new();
//!         emit!(events, streams.account, AccountEvent::Deposited { cents: self.cents });
//!         Ok(events)
//!     }
//! }
//!
//! impl CommandLogic for Transfer {
//!     /// The balance of `from`.
//!     type State = u64;
//!     type Event = AccountEvent;
//!
//!     fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
//!         match stored.event {
//!             _ if stored.stream_id != self.from => balance,
//!             AccountEvent::Deposited { cents } => balance + cents,
//!             AccountEvent::Withdrawn { cents } => balance - cents,
//!         }
//!     }
//!
//!     fn handle(
//!         &self,
//!         balance: u64,
//!         streams: Streams<Self>,
//!     ) -> Result<NewEvents<Self>, CommandError> {
//!         require!(self.cents <= balance, "{} cents are more than the {balance} there are", self.cents);
//!         let mut events = NewEvents::new();
//!         emit!(events, streams.from, AccountEvent::Withdrawn { cents: self.cents });
//!         emit!(events, streams.to, AccountEvent::Deposited { cents: self.cents });
//!         Ok(events)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = InMemoryEventStore::new();
//! let (ada, bob) = (StreamId::new("account-ada")?, StreamId::new("account-bob")?);
//!
//! execute(&store, &Deposit { account: ada.clone(), cents: 100 }).await?;
//! let done = execute(&store, &Transfer { from: ada.clone(), to: bob.clone(), cents: 70 }).await?;
//! assert_eq!(done.version_of(&ada).map(u64::from), Some(2));
//! assert_eq!(done.version_of(&bob).map(u64::from), Some(1));
//!
//! let error = execute(&store, &Transfer { from: ada, to: bob, cents: 70 }).await.unwrap_err();
//! assert!(error.is_business_rule());
//! # Ok(())
//! # }
//! ```
//!
//! What was written can be followed: a [`Subscription`] is a never-ending stream of events in the order
//! of their positions.
//!
//! ```
//! # use eventcore::*;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = InMemoryEventStore::new();
//! # let account = StreamId::new("account-ada")?;
//! # let event = NewEvent::new(account.clone(), "Deposited".parse()?, serde_json::json!({"cents": 1}));
//! # store.append(&Append::new().stream(account, ExpectedVersion::Exactly(0)).event(event)).await?;
//! let accounts = Filter::all().stream_prefix("account-");
//! let mut subscription = store.subscribe(Subscribe::from_start().filter(accounts));
//! let event = subscription.next_event().await?;
//! println!("{} {}: {} {}", event.position, event.stream_id, event.event_type, event.payload);
//! # Ok(())
//! # }
//! ```
//!
//! # Following a store
//!
//! [`Subscription::typed`] gives events of your own type, and [`with_signals`](Subscription::with_signals)
//! tells live events from those that the subscription catches up with. An event that cannot be decoded
//! is an error that names it; the next item is the event after it.
//!
//! ```
//! # use eventcore::*;
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Serialize, Deserialize, Event)]
//! # enum AccountEvent { Deposited { cents: u64 } }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = InMemoryEventStore::new();
//! # let account = StreamId::new("account-ada")?;
//! # let event = NewEvent::encode(account.clone(), &AccountEvent::Deposited { cents: 1 })?;
//! # store.append(&Append::new().stream(account, ExpectedVersion::Exactly(0)).event(event)).await?;
//! let subscription = store.subscribe(Subscribe::from_start());
//! let mut followed = subscription.typed::<AccountEvent>().with_signals();
//! loop {
//!     match followed.next_followed().await? {
//!         Followed::Event(stored) => println!("{}: {:?}", stored.stream_id, stored.event),
//!         Followed::CaughtUp { position } => break println!("live from {position} on"),
//!         Followed::FellBehind { .. } => println!("busy"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Durable subscriptions
//!
//! A durable subscription is a place in the order of events that the store keeps under a name
//! ([`SubscriptionStore`]). Any number of [`Consumer`]s, in any number of processes, share its events;
//! the events of one stream are worked on one after the other, in their order. What is not acknowledged
//! is delivered again, and parked when it fails too often.
//!
//! ```
//! # use eventcore::*;
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Debug, Serialize, Deserialize, Event)]
//! # enum AccountEvent { Deposited { cents: u64 } }
//! # fn send_mail(_: &AccountEvent) -> Result<(), &'static str> { Ok(()) }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = InMemoryEventStore::new();
//! # let account = StreamId::new("account-ada")?;
//! # let event = NewEvent::encode(account.clone(), &AccountEvent::Deposited { cents: 1 })?;
//! # store.append(&Append::new().stream(account, ExpectedVersion::Exactly(0)).event(event)).await?;
//! let mails = SubscriptionName::new("mails")?;
//! let accounts = Filter::all().stream_prefix("account-");
//! store.create_subscription(&mails, &SubscriptionDefinition::new().filter(accounts)).await?;
//!
//! let mut consumer = Consumer::<AccountEvent, _>::new(store.clone(), mails, "worker-1".parse()?);
//! let delivery = consumer.next_delivery().await?;
//! match send_mail(&delivery.event) {
//!     Ok(()) => drop(delivery.ack().await?),
//!     Err(reason) => drop(delivery.nack(Nack::retry().reason(reason)).await?),
//! }
//! consumer.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Consumer::run`] does this for a handler. On PostgreSQL an event can be acknowledged in the
//! transaction that writes what the consumer made of it, `delivery.ack_in(&transaction)`, and takes
//! effect exactly once.
//!
//! # Projections
//!
//! A [`Projection`] is what an application makes of the events, for example a table to query.
//! [`run_projection`] commits what it writes together with how far it has come, batch by batch: each
//! event takes effect exactly once. On PostgreSQL the transaction is a `PostgresTransaction`, to be
//! used like a client of `tokio-postgres`; in memory it is a [`MemoryTransaction`].
//!
//! ```
//! # use eventcore::*;
//! # use serde::{Deserialize, Serialize};
//! # use std::collections::HashMap;
//! # use std::sync::{Arc, Mutex};
//! # #[derive(Debug, Serialize, Deserialize, Event)]
//! # enum AccountEvent { Deposited { cents: u64 } }
//! #[derive(Default)]
//! struct Balances(Arc<Mutex<HashMap<StreamId, u64>>>);
//!
//! impl Projection<InMemoryEventStore> for Balances {
//!     type Event = AccountEvent;
//!
//!     fn name(&self) -> &str {
//!         "balances"
//!     }
//!
//!     async fn apply(
//!         &mut self,
//!         stored: StoredEvent<AccountEvent>,
//!         transaction: &mut MemoryTransaction,
//!     ) -> Result<(), HandlerError> {
//!         let AccountEvent::Deposited { cents } = stored.event;
//!         let balances = Arc::clone(&self.0);
//!         transaction.on_commit(move || {
//!             *balances.lock().unwrap().entry(stored.stream_id).or_default() += cents;
//!         });
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let store = InMemoryEventStore::new();
//! # let ada = StreamId::new("account-ada")?;
//! # let event = NewEvent::encode(ada.clone(), &AccountEvent::Deposited { cents: 5 })?;
//! # let append = Append::new().stream(ada.clone(), ExpectedVersion::Exactly(0)).event(event);
//! # let position = store.append(&append).await?.last_position.unwrap();
//! let mut balances = Balances::default();
//! run_projection_until(&store, &mut balances, position).await?; // or for ever: run_projection
//! assert_eq!(balances.0.lock().unwrap()[&ada], 5);
//! # Ok(())
//! # }
//! ```
//!
//! # Stores
//!
//! On PostgreSQL (feature `postgres`) the store is
//! `PostgresEventStore::connect("postgresql://…")`, and nothing else changes.
//!
//! An event can go only to a stream that the command declared: a handle such as `streams.from` is what
//! the declaration gives back, and there is no other way to get one.

// What an application writes.
mod command;
mod event;

// Running it.
mod execute;
mod observe;
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
mod page;
mod signals;
mod subscription;
mod typed_subscription;

// Working through it, each event at least once, or exactly once.
mod consumer;
mod durable;
mod projection;

// What goes into a store, and what comes out.
mod append;
mod query;
mod sendable;
mod stored_event;

// Values.
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
    ExecuteError, ExecuteOptions, Execution, RetryPolicy, WrittenEvent, execute, execute_with,
};
pub use follow_error::FollowError;
pub use ids::{CausationId, CorrelationId, EventId, LeaseId};
pub use invalid::InvalidValue;
pub use memory::{InMemoryEventStore, MemoryTransaction};
pub use names::{
    ConsumerName, EventType, ProjectionName, SnapshotName, StreamId, SubscriptionName,
};
pub use numbers::{Position, StreamVersion};
pub use page::Page;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresEventStore, PostgresTransaction};
pub use projection::{
    Projection, ProjectionError, ProjectionOptions, ProjectionStore, run_projection,
    run_projection_until, run_projection_with,
};
pub use query::{Direction, Filter, ReadAll, ReadStream, ReadStreams, StreamsRead};
pub use signals::{Followed, WithSignals};
pub use snapshot::{Folded, Snapshot, Snapshots};
pub use state_cache::StateCache;
pub use store::{EventStore, EventSubscription};
pub use store_error::StoreError;
pub use stored_event::{Metadata, RecordedEvent, StoredEvent};
pub use subscription::{PageRequest, Subscribe, Subscription};
pub use typed_subscription::TypedSubscription;

/// Runs the Rust of the project's README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
