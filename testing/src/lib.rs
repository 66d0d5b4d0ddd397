//! Tests for what is built on [`eventcore`].
//!
//! - [`Scenario`]: given these events, when this command is executed, then that happens.
//! - [`ChaosStore`]: any store, but with conflicts, failures before and after the commit, and latency.
//! - [`CountingStore`]: any store, and counts its calls.
//! - [`contract`]: what every store promises, as tests that a store of yours runs by one line.
//! - [`model::check`]: random appends, reads and commands against a model, as many as you like.

// For those who write commands.
pub mod scenario;

// For those who write programs: any store, but one that fails on purpose, or counts.
pub mod chaos;
pub mod counting;

// For those who write stores.
pub mod contract;
pub mod model;

mod block_on;

pub use chaos::ChaosStore;
pub use counting::CountingStore;
pub use scenario::Scenario;
