//! [`Page`]: what a store answers to a subscription that reads on.

use std::fmt;

use crate::store::{RecordedEvent, StoreError};
use crate::values::{EventId, Position};

/// Events that a subscription has read, in position order. There may be none, when none was let through by
/// the filter.
#[non_exhaustive]
pub struct Page {
    /// The events, each decoded when it is its turn.
    pub events: Box<dyn Iterator<Item = Result<RecordedEvent, StoreError>> + Send>,
    /// Where to go on: every event of interest up to here is in the page or before it.
    pub read_to: Position,
    /// Whether there was more to read when this was read.
    pub more: bool,
    /// The id of the last of the events, for a store that knows by it whether a reader comes from another history.
    pub last_event: Option<EventId>,
}

impl Page {
    /// A page of events that cost work to decode: that is done as they are asked for, while the next
    /// page is on its way. After an error the subscription reads on after the last event before it.
    pub fn new(
        events: impl Iterator<Item = Result<RecordedEvent, StoreError>> + Send + 'static,
        read_to: Position,
        more: bool,
    ) -> Self {
        Self {
            events: Box::new(events),
            read_to,
            more,
            last_event: None,
        }
    }

    /// Tells the id of the last event of the page.
    #[must_use]
    pub fn last_event(mut self, id: Option<EventId>) -> Self {
        self.last_event = id;
        self
    }

    pub(crate) fn empty(read_to: Position, more: bool) -> Self {
        Self::new(std::iter::empty(), read_to, more)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("read_to", &self.read_to)
            .field("more", &self.more)
            .finish_non_exhaustive()
    }
}
