//! A catch-up subscription: a never-ending [`Stream`] of events in position order.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::{
    Event, Filter, Followed, Position, RecordedEvent, StoreError, TypedSubscription, WithSignals,
};

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
///
/// [`typed`](Self::typed) gives events of your own type, and [`with_signals`](Self::with_signals) tells
/// when it has caught up.
#[must_use = "a subscription does nothing unless polled"]
pub struct Subscription {
    after: Position,
    page: VecDeque<RecordedEvent>,
    read_to: Position,
    /// Whether there was more to read after the last page; so it is before the first.
    more: bool,
    /// What was last told by a signal.
    caught_up: bool,
    fell_behind: bool,
    pending: Option<NextPage>,
    next_page: Box<dyn FnMut(PageRequest) -> NextPage + Send>,
}

/// What a subscription asks its store for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Only events after this position.
    pub after: Position,
    /// Wait until the store can be read to a later position than `after`; otherwise answer at once.
    pub wait: bool,
}

/// Events that a subscription has read.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The events, in position order. There may be none, when none was let through by the filter.
    pub events: Vec<RecordedEvent>,
    /// Where to go on: every event of interest up to here is in the page or before it.
    pub read_to: Position,
    /// Whether there was more to read when this was read.
    pub more: bool,
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
    /// For stores: a subscription that gets its events from `next_page`. Errors that pass, such as a
    /// lost connection, are for `next_page` to overcome.
    pub fn new<F, P>(after: Position, mut next_page: F) -> Self
    where
        F: FnMut(PageRequest) -> P + Send + 'static,
        P: Future<Output = Result<Page, StoreError>> + Send + 'static,
    {
        Self {
            after,
            page: VecDeque::new(),
            read_to: after,
            more: true,
            caught_up: false,
            fell_behind: false,
            pending: None,
            next_page: Box::new(move |request| Box::pin(next_page(request))),
        }
    }

    /// The same events as your own type. What cannot be decoded is an error that names it, and the
    /// subscription goes on after it.
    pub fn typed<E: Event>(self) -> TypedSubscription<E> {
        TypedSubscription::new(self)
    }

    /// The same events, and in between whether it has caught up with the store.
    pub fn with_signals(self) -> WithSignals<Self> {
        WithSignals::new(self)
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

    /// All that was read at once, handed out together. There may be no event in it.
    pub(crate) async fn next_page(&mut self) -> Result<Page, StoreError> {
        std::future::poll_fn(|cx| {
            ready!(self.poll_page(cx))?;
            self.after = self.after.max(self.read_to);
            Poll::Ready(Ok(Page {
                events: std::mem::take(&mut self.page).into(),
                read_to: self.after,
                more: self.more,
            }))
        })
        .await
    }

    pub(crate) fn poll_followed(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Followed<RecordedEvent>, StoreError>> {
        loop {
            if std::mem::take(&mut self.fell_behind) {
                let position = self.after;
                return Poll::Ready(Ok(Followed::FellBehind { position }));
            }
            if let Some(event) = self.page.pop_front() {
                self.after = event.position;
                return Poll::Ready(Ok(Followed::Event(event)));
            }
            self.after = self.after.max(self.read_to);
            if !self.more && !self.caught_up {
                self.caught_up = true;
                let position = self.after;
                return Poll::Ready(Ok(Followed::CaughtUp { position }));
            }
            ready!(self.poll_page(cx))?;
            if self.more && std::mem::take(&mut self.caught_up) {
                self.fell_behind = true;
            }
        }
    }

    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecordedEvent, StoreError>> {
        loop {
            if let Followed::Event(event) = ready!(self.poll_followed(cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// Reads the next page.
    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        let pending = self.pending.get_or_insert_with(|| {
            (self.next_page)(PageRequest {
                after: self.after,
                wait: !self.more,
            })
        });
        let page = ready!(pending.as_mut().poll(cx));
        self.pending = None;
        let page = page?;
        self.read_to = page.read_to;
        self.page = page.events.into();
        self.more = page.more;
        Poll::Ready(Ok(()))
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
