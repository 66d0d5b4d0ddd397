//! The background workers that turn new events into notifications.

pub mod launcher;
pub mod notifier;
