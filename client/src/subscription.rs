//! A subscription: a never-ending [`Stream`] of events in position order.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::{Filter, Position, RecordedEvent, StoreError};

/// What to follow. By default every event from the first one on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribe {
    /// Only events after this position.
    pub after: Position,
    /// Only these events.
    pub filter: Filter,
    /// The most events that are read from the store at once, and held in memory.
    pub page: u32,
}

/// Events in position order, each exactly once, those to come included. It never ends.
///
/// It reads a page when the last one is used up, so it holds no more than a page. A lost connection
/// is made again. After any other error it goes on where it was when it is polled again.
#[must_use = "a subscription does nothing unless polled"]
pub struct Subscription {
    after: Position,
    page: VecDeque<RecordedEvent>,
    read_to: Position,
    pending: Option<NextPage>,
    next_page: Box<dyn FnMut(Position) -> NextPage + Send>,
}

/// Events that a subscription has read.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events, in position order.
    pub events: Vec<RecordedEvent>,
    /// Where to go on: every event of interest up to here is in the page or before it.
    pub read_to: Position,
}

type NextPage = Pin<Box<dyn Future<Output = Result<Page, StoreError>> + Send>>;

impl Subscribe {
    /// Every event from the first one on.
    pub fn from_start() -> Self {
        Self::after(Position::START)
    }

    /// Every event after this position.
    pub fn after(position: Position) -> Self {
        Self {
            after: position,
            filter: Filter::all(),
            page: 500,
        }
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

impl Subscription {
    /// For stores: a subscription that gets its events from `next_page`, which is given a position and
    /// waits until there is something to say about later ones.
    pub fn new<F, P>(after: Position, mut next_page: F) -> Self
    where
        F: FnMut(Position) -> P + Send + 'static,
        P: Future<Output = Result<Page, StoreError>> + Send + 'static,
    {
        Self {
            after,
            page: VecDeque::new(),
            read_to: after,
            pending: None,
            next_page: Box::new(move |after| Box::pin(next_page(after))),
        }
    }

    /// The next event, as soon as there is one. It may be dropped and called again: no event is lost.
    ///
    /// # Errors
    ///
    /// The store refuses to be read, or cannot be understood.
    pub async fn next_event(&mut self) -> Result<RecordedEvent, StoreError> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The position that everything of interest up to has been handed out. To go on from here later,
    /// subscribe [after](Subscribe::after) it.
    pub fn position(&self) -> Position {
        self.after
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<RecordedEvent, StoreError>> {
        loop {
            if let Some(event) = self.page.pop_front() {
                self.after = event.position;
                return Poll::Ready(Ok(event));
            }
            self.after = self.after.max(self.read_to);
            let pending = self
                .pending
                .get_or_insert_with(|| (self.next_page)(self.after));
            let page = ready!(pending.as_mut().poll(cx));
            self.pending = None;
            match page {
                Ok(page) => {
                    self.read_to = page.read_to;
                    self.page = page.events.into();
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<RecordedEvent, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx).map(Some)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("after", &self.after)
            .finish_non_exhaustive()
    }
}
