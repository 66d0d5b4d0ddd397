//! A saga between two services that have a store each and share nothing but messages. See README.md.

// How services talk: messages, a network that fails, a socket, and what is told to it.
pub mod message;
pub mod outbox;
pub mod socket;
pub mod wire;

// The two services.
pub mod orders;
pub mod payments;

// Each of them as a process, and both together.
pub mod processes;
pub mod samples;
pub mod service;

// Whether it was right.
pub mod books;
