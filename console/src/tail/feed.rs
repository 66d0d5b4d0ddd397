//! [`Feed`]: the messages for one browser.

use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event as Message;
use eventcore_inspect::events::{Page, after, safe_position};
use eventcore_inspect::text::safe;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::state::State;
use crate::view::events;

/// How many events a message has at most.
const PAGE: i64 = 200;

/// The shortest time between two reads, and between two of them when events come faster than they can
/// be shown: then 200 a second are.
const PAUSE: Duration = Duration::from_millis(50);
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// A tail that is this many positions behind, although a whole page was read, skips to the newest
/// events.
const FAR: i64 = 5_000;

/// How long to wait before a server that was away is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Which events a browser follows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) prefixes: Option<Vec<String>>,
    pub(crate) types: Option<Vec<String>>,
}

/// The messages for one browser. Dropping it ends the live stream.
pub(crate) struct Feed {
    state: Arc<State>,
    filter: Filter,
    /// Every matching event up to this position has been sent, or was told to be left out. `None`: it
    /// begins with what comes now.
    position: Option<i64>,
    safe: watch::Receiver<i64>,
    ends: watch::Receiver<bool>,
    not_before: Instant,
    /// Whether the browser was told that the server is away.
    has_told: bool,
}

impl Feed {
    /// Begins after a position, or with what comes now.
    pub(crate) fn open(
        state: &Arc<State>,
        filter: Filter,
        position: Option<i64>,
    ) -> Result<Self, Failure> {
        if !state.tail.enter() {
            let failure = Failure::unavailable("too many live streams are open");
            return Err(failure.with_hint("Close a tab that follows events."));
        }
        Ok(Self {
            filter,
            position,
            safe: state.tail.safe.subscribe(),
            ends: state.ends.clone(),
            not_before: Instant::now(),
            has_told: false,
            state: Arc::clone(state),
        })
    }

    /// The next message. `None` when the console ends.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let mut ends = self.ends.clone();
        tokio::select! {
            message = self.message() => Some(message),
            // The sender lives as long as the console.
            _ = ends.wait_for(|ends| *ends) => None,
        }
    }

    async fn message(&mut self) -> Message {
        loop {
            tokio::time::sleep_until(self.not_before).await;
            self.not_before = Instant::now() + PAUSE;
            match self.step().await {
                Ok(Some(message)) => return message,
                Ok(None) => {}
                Err(failure) => {
                    self.not_before = Instant::now() + RETRY;
                    if let Some(message) = self.told(&failure) {
                        return message;
                    }
                }
            }
        }
    }

    /// Reads what is new. Waits if nothing is.
    async fn step(&mut self) -> Result<Option<Message>, Failure> {
        let Some(position) = self.position else {
            return self.begin().await.map(Some);
        };
        let newest = *self.safe.borrow_and_update();
        if newest <= position {
            // The sender lives as long as the console.
            let _ = self.safe.changed().await;
            return Ok(None);
        }
        let page = self.read(position).await?;
        let is_whole = i64::try_from(page.events.len()).is_ok_and(|length| length >= PAGE);
        let behind = newest.saturating_sub(page.read_to);
        let mut reached = page.read_to;
        if is_whole && behind > FAR {
            reached = newest - PAGE;
            self.not_before = Instant::now() + LONG_PAUSE;
        }
        self.position = Some(reached);
        let is_back = std::mem::take(&mut self.has_told);
        if page.events.is_empty() && !is_back {
            // A browser that comes back need not read all this again.
            let moved = reached.saturating_sub(position) > FAR;
            return Ok(moved.then(|| Message::default().id(reached.to_string()).comment("")));
        }
        Ok(Some(rows(&page, reached)))
    }

    async fn begin(&mut self) -> Result<Message, Failure> {
        let session = self.state.tail_pool.session().await?;
        let position = safe_position(&session).await?;
        self.position = Some(position);
        Ok(Message::default()
            .event("begin")
            .id(position.to_string())
            .data("{}"))
    }

    async fn read(&self, position: i64) -> Result<Page, Failure> {
        let session = self.state.tail_pool.session().await?;
        let prefixes = self.filter.prefixes.as_deref();
        let types = self.filter.types.as_deref();
        Ok(after(&session, position, PAGE, prefixes, types).await?)
    }

    /// Why nothing comes, once. A tail of a history that the server has left
    /// starts again at the newest events.
    fn told(&mut self, failure: &Failure) -> Option<Message> {
        if failure.sqlstate.as_deref() == Some("SE011") {
            self.position = None;
        } else if self.has_told {
            return None;
        }
        self.has_told = true;
        let data = json!({ "problem": safe(&failure.message) });
        Some(Message::default().event("problem").data(data.to_string()))
    }
}

/// The rows of a page, the newest first, as HTML, and how many positions were left out after them.
fn rows(page: &Page, reached: i64) -> Message {
    let newest_first = page.events.iter().rev();
    let html: String = newest_first
        .map(|event| events::row(event).into_string())
        .collect();
    let data = json!({
        "rows": html,
        "count": page.events.len(),
        "skipped": reached - page.read_to,
    });
    Message::default()
        .event("rows")
        .id(reached.to_string())
        .data(data.to_string())
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.state.tail.leave();
    }
}
