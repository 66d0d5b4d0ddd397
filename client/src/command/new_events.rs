//! [`NewEvents`]: the events that a command writes, and the macros [`emit!`](crate::emit) and
//! [`require!`](crate::require).

use std::fmt;

use super::{AsyncCommandLogic, StreamHandle};
use crate::values::StreamId;

/// The events that a command decided to write, in order, each with its stream.
pub struct NewEvents<C: AsyncCommandLogic + ?Sized> {
    events: Vec<(StreamId, C::Event)>,
}

impl<C: AsyncCommandLogic + ?Sized> NewEvents<C> {
    /// No events.
    pub fn new() -> Self {
        Self { events: Vec::new() }
    }

    /// Adds an event to a stream. [`emit!`](crate::emit) is shorter.
    pub fn push(&mut self, stream: &impl StreamHandle<C>, event: C::Event) {
        self.events.push((stream.stream_id().clone(), event));
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, each with its stream.
    pub fn iter(&self) -> impl Iterator<Item = (&StreamId, &C::Event)> {
        self.events.iter().map(|(stream, event)| (stream, event))
    }
}

impl<C: AsyncCommandLogic + ?Sized> Default for NewEvents<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: AsyncCommandLogic + ?Sized> fmt::Debug for NewEvents<C>
where
    C::Event: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.events).finish()
    }
}

/// Adds an event to those that a command writes: `emit!(events, streams.from, Withdrawn { cents
/// })`.
///
/// The stream is a handle that the command's declaration returned, or a reference to one. Nothing
/// else compiles, and neither does leaving the stream out, even if the event names its stream.
#[macro_export]
macro_rules! emit {
    ($events:expr, $stream:expr, $event:expr $(,)?) => {
        $events.push(&$stream, $event)
    };
    ($events:expr, $event:expr $(,)?) => {
        ::core::compile_error!(
            "emit! does not say which stream the event goes to: write the stream's handle before the \
             event, emit!(events, streams.account, event)"
        )
    };
}

/// Rejects the command by returning from its `handle` unless the condition holds, with a message
/// (`require!(a <= b, "only {b} left")`) or with an error of yours (`require!(a <= b, Overdrawn)`).
#[macro_export]
macro_rules! require {
    ($condition:expr, $message:literal $($arguments:tt)*) => {
        if $condition {
        } else {
            return ::core::result::Result::Err($crate::CommandError::rejected(
                ::std::format!($message $($arguments)*),
            ));
        }
    };
    ($condition:expr, $error:expr $(,)?) => {
        if $condition {
        } else {
            return ::core::result::Result::Err($crate::CommandError::rejected($error));
        }
    };
}
