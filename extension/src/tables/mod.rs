//! The tables of the extension: their OIDs, their columns, and how to open them.
//!
//! - [`objects`]: every table, index and sequence, by its name.
//! - [`columns`]: the numbers of the columns of each table.
//! - [`catalog`]: the objects in this database, looked up once and verified.
//! - [`events`], [`open`]: opening a table, with the OIDs that are valid while it is open.
//! - [`heads`]: the version of a stream, and the position of the last event.
//! - [`history`]: the histories of the store.
//! - [`release`]: whether this library serves the release that made them.

mod catalog;
pub mod columns;
mod events;
pub mod heads;
pub mod history;
mod objects;
mod open;
pub mod release;

pub use catalog::Catalog;
pub use events::Events;
pub use open::{
    command_states, commands, executions, projection_parked, projection_parked_to_replay,
    projections, subscriptions,
};
