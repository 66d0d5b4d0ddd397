//! [`Page`]: the events that a store returns to a subscription at once.

use std::fmt;

use crate::store::{RecordedEvent, StoreError};
use crate::values::{EventId, Position};

/// Events that a subscription has read, in position order. A page is empty if no event matched the
/// filter.
#[non_exhaustive]
pub struct Page {
    /// The events. Each is decoded when it is taken.
    pub events: Box<dyn Iterator<Item = Result<RecordedEvent, StoreError>> + Send>,
    /// Where to continue: every matching event up to here is in this page or before it.
    pub read_to: Position,
    /// Whether there was more to read at that time.
    pub more: bool,
    /// The id of the last of the events, for a store that uses it to detect a reader from another
    /// history.
    pub last_event: Option<EventId>,
}

impl Page {
    /// A page of events that take work to decode. They are decoded when they are taken, while the
    /// next page is on its way. After an error the subscription reads again, after the last event
    /// before the error.
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

    /// Sets the id of the last event of the page.
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
