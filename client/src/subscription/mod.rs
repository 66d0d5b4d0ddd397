//! [`EventSubscription`]: a store that can be followed, and [`Subscribe`]: what to follow.

mod catch_up;
mod error;
mod page;
mod signals;
mod typed;

pub use self::catch_up::{PageRequest, Subscription};
pub use self::error::FollowError;
pub use self::page::Page;
pub use self::signals::{Followed, WithSignals};
pub use self::typed::TypedSubscription;
use crate::store::{EventStore, Filter};
use crate::values::{EventId, Position};

/// A store that can be followed. Not every store can.
pub trait EventSubscription: EventStore {
    /// Follows the events after a position. Nothing happens before the subscription is polled.
    fn subscribe(&self, subscribe: Subscribe) -> Subscription;
}

/// What to follow. By default all events from the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribe {
    /// Only events after this position.
    pub after: Position,
    /// The id of the last event that the reader has read up to there, if known.
    pub after_event: Option<EventId>,
    /// Only these events.
    pub filter: Filter,
    /// The most events that the subscription reads from the store at once and holds in memory.
    pub page: u32,
}

impl Subscribe {
    /// All events from the first one.
    pub fn from_start() -> Self {
        Self::after(Position::START)
    }

    /// All events after this position.
    pub fn after(position: Position) -> Self {
        Self {
            after: position,
            after_event: None,
            filter: Filter::all(),
            page: 500,
        }
    }

    /// Sets the id of the last event that the reader has read up to there with the same filter.
    /// With it, the store detects even shortly after a failover whether the reader comes from
    /// another history.
    #[must_use]
    pub fn after_event(mut self, id: EventId) -> Self {
        self.after_event = Some(id);
        self
    }

    /// Only these events.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Reads at most this many events at once; at least one.
    #[must_use]
    pub fn page(mut self, events: u32) -> Self {
        self.page = events.max(1);
        self
    }
}

impl Default for Subscribe {
    fn default() -> Self {
        Self::from_start()
    }
}
