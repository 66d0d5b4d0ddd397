//! Tests for programs built on [`eventcore`].
//!
//! - [`Scenario`]: given these events, when this command is executed, then that happens.
//! - [`ChaosStore`]: any store, with conflicts, failures before and after the commit, and latency.
//! - [`CountingStore`]: any store, counting its calls.
//! - [`intercept`]: any store, with an interceptor of yours.
//! - [`contract`]: the promises of every store, as tests that your own store runs with one line.
//! - [`model::check`]: random appends, reads and commands against a model, as many as you like.

// For authors of commands.
pub mod scenario;

// For authors of programs: any store, with an interceptor, with injected failures, or counted.
pub mod intercept;

pub mod chaos;
pub mod counting;

// For authors of stores.
pub mod contract;
pub mod model;

mod block_on;

pub use chaos::ChaosStore;
pub use counting::CountingStore;
pub use scenario::Scenario;
