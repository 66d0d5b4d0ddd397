//! [`Subscription`]: a never-ending [`Stream`] of events in position order.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::page::Page;
use super::signals::{Followed, WithSignals};
use crate::store::{RecordedEvent, StoreError};
use crate::values::{EventId, Position};

/// All events in position order, each exactly once, including future ones. The stream never ends.
///
/// If the store continues in another history than the one that was read, for example after a
/// failover that lost events, the subscription returns an error ([`StoreError::is_diverged`]) and
/// never skips events.
///
/// While it hands out a page, the store reads the next one, so the subscription holds at most two
/// pages. It reconnects after a lost connection. After any other error, the next poll continues
/// where the subscription was.
///
/// [`typed`](Self::typed) gives events of your own type, and [`with_signals`](Self::with_signals)
/// reports when the subscription has caught up.
#[must_use = "a subscription does nothing unless polled"]
pub struct Subscription {
    after: Position,
    /// The part of the last page that is not handed out yet. At the start: an empty page with more
    /// to read.
    page: Page,
    /// The last event that was handed out.
    last_event: Option<EventId>,
    /// Which signal was given last.
    caught_up: bool,
    fell_behind: bool,
    pending: Option<NextPage>,
    next_page: Box<dyn FnMut(PageRequest) -> NextPage + Send>,
}

/// What a subscription requests from its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Only events after this position.
    pub after: Position,
    /// The id of the last event that the reader has read up to there, if known.
    pub after_event: Option<EventId>,
    /// Wait until the store can be read beyond `after`; otherwise answer at once.
    pub wait: bool,
}

type NextPage = Pin<Box<dyn Future<Output = Result<Page, StoreError>> + Send>>;

impl Subscription {
    /// For implementations of stores: a subscription that gets its events from `next_page`.
    /// `next_page` must handle temporary errors, such as a lost connection, itself. The
    /// subscription calls it for the next page as soon as it has a page to hand out and there is
    /// more to read. It polls the returned future only when that page is used up.
    pub fn new<F, P>(after: Position, mut next_page: F) -> Self
    where
        F: FnMut(PageRequest) -> P + Send + 'static,
        P: Future<Output = Result<Page, StoreError>> + Send + 'static,
    {
        Self {
            after,
            page: Page::empty(after, true),
            last_event: None,
            caught_up: false,
            fell_behind: false,
            pending: None,
            next_page: Box::new(move |request| Box::pin(next_page(request))),
        }
    }

    /// Sets the id of the last event before the first requested one.
    #[cfg(feature = "postgres")]
    pub(crate) fn after_event(mut self, id: Option<EventId>) -> Self {
        self.last_event = id;
        self.page = self.page.last_event(id);
        self
    }

    /// The same events, with signals in between that report whether the subscription has caught up.
    pub fn with_signals(self) -> WithSignals<Self> {
        WithSignals::new(self)
    }

    /// The next event, as soon as there is one. If the future is dropped, call the method again: no
    /// event is lost.
    ///
    /// # Errors
    ///
    /// The store refuses the read, or its answer cannot be understood.
    pub async fn next_event(&mut self) -> Result<RecordedEvent, StoreError> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// All matching events up to this position have been handed out. To continue from here later,
    /// subscribe [after](crate::Subscribe::after) it.
    pub fn position(&self) -> Position {
        self.after
    }

    /// A whole page at once, and the position up to which it was read. The page may be empty.
    pub(crate) async fn next_page(&mut self) -> Result<(Vec<RecordedEvent>, Position), StoreError> {
        std::future::poll_fn(|cx| self.poll_page(cx)).await?;
        let events = self.page.events.by_ref().collect::<Result<Vec<_>, _>>();
        let events = events.inspect_err(|_| self.start_over())?;
        self.last_event = events
            .last()
            .map(|event| event.event_id)
            .or(self.last_event);
        self.after = self.after.max(self.page.read_to);
        Ok((events, self.after))
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
            if let Some(event) = self.page.events.next() {
                let event = event.inspect_err(|_| self.start_over())?;
                self.after = event.position;
                self.last_event = Some(event.event_id);
                return Poll::Ready(Ok(Followed::Event(event)));
            }
            self.after = self.after.max(self.page.read_to);
            if !self.page.more && !self.caught_up {
                self.caught_up = true;
                let position = self.after;
                return Poll::Ready(Ok(Followed::CaughtUp { position }));
            }
            ready!(self.poll_page(cx))?;
            if self.page.more && std::mem::take(&mut self.caught_up) {
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

    /// Takes the next page, and makes the store start with the one after it.
    fn poll_page(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StoreError>> {
        if self.pending.is_none() {
            self.read_on();
        }
        let Some(pending) = &mut self.pending else {
            return Poll::Pending;
        };
        let page = ready!(pending.as_mut().poll(cx));
        self.pending = None;
        let before = self.page.last_event;
        self.page = page?;
        // A page without events does not change which event was the last.
        self.page.last_event = self.page.last_event.or(before);
        if self.page.more {
            self.read_on();
        }
        Poll::Ready(Ok(()))
    }

    /// Requests the page after the last one that was read.
    fn read_on(&mut self) {
        self.pending = Some((self.next_page)(PageRequest {
            after: self.after.max(self.page.read_to),
            after_event: self.page.last_event,
            wait: !self.page.more,
        }));
    }

    /// Drops everything that was read but not handed out.
    fn start_over(&mut self) {
        self.pending = None;
        self.page = Page::empty(self.after, true).last_event(self.last_event);
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

impl WithSignals<Subscription> {
    /// The next event or signal. If the future is dropped, call the method again: nothing is lost.
    ///
    /// # Errors
    ///
    /// The store refuses the read, or its answer cannot be understood.
    pub async fn next_followed(&mut self) -> Result<Followed<RecordedEvent>, StoreError> {
        std::future::poll_fn(|cx| self.0.poll_followed(cx)).await
    }

    /// All matching events up to this position have been handed out.
    pub fn position(&self) -> Position {
        self.0.position()
    }
}

impl Stream for WithSignals<Subscription> {
    type Item = Result<Followed<RecordedEvent>, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(ready!(self.0.poll_followed(cx))))
    }
}
