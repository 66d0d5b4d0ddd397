//! A saga between two services that have a store each and share nothing but messages. See README.md.

// How services talk: messages, a network that fails, and what is told to it.
pub mod message;
pub mod outbox;
pub mod wire;

// The two services.
pub mod orders;
pub mod payments;

// Both of them at work.
pub mod run;
