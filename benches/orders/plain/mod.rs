//! The reference: order management as applications on event sourcing in Rust are often written.
//! Envelopes with JSON trees in a vector behind a lock, traits with boxed futures, and read models in
//! hash maps, each of which decodes each event for itself.

mod order;
mod service;
mod store;
mod views;

pub(crate) use order::{Item, Money, OrderEvent};
pub(crate) use service::{add_item, create_order, load, submit_order};
pub(crate) use store::{Envelope, EventStore, Memory, envelopes};
pub(crate) use views::Processor;

use std::pin::Pin;

/// What a method of a trait with boxed futures returns.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Why something cannot be done.
#[derive(Debug)]
#[expect(dead_code, reason = "shown when a bench fails")]
pub(crate) enum Failure {
    Conflict { expected: u64, actual: u64 },
    Rejected(&'static str),
    Json(serde_json::Error),
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}
