//! Subscriptions: reads pages of events, the next one as soon as a notification says that there is
//! more.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Inner, read};
use crate::store::{ReadAll, StoreError};
use crate::subscription::{Page, Subscribe, Subscription};
use crate::values::EventId;

pub(super) fn subscribe(inner: Arc<Inner>, subscribe: Subscribe) -> Subscription {
    let Subscribe {
        after,
        after_event,
        filter,
        page,
    } = subscribe;
    let read = ReadAll::new().limit(page).filter(filter);
    // Kept as long as the subscription, even between two pages.
    let listener = Arc::new(OnceLock::new());
    let subscription = Subscription::new(after, move |request| {
        let inner = Arc::clone(&inner);
        let listener = Arc::clone(&listener);
        let read = read.clone().after(request.after);
        let next = async move {
            let listener = listener.get_or_init(|| inner.heard_by_readers().listener());
            let last = request.after_event;
            next_page(&inner, listener.news(), &read, last, request.wait).await
        };
        // In a task of its own, so that the server works while the previous page is handed out. The
        // task returns its connection however long that takes.
        let next = if request.wait {
            Next::Waiting(Box::pin(next))
        } else {
            Next::Ahead(tokio::spawn(next))
        };
        next.page()
    });
    subscription.after_event(after_event)
}

/// A page that is being read. Dropping it stops the read.
enum Next {
    Waiting(Pin<Box<dyn Future<Output = Result<Page, StoreError>> + Send>>),
    Ahead(JoinHandle<Result<Page, StoreError>>),
}

impl Next {
    async fn page(mut self) -> Result<Page, StoreError> {
        match &mut self {
            Self::Waiting(next) => next.await,
            Self::Ahead(task) => task.await.map_err(StoreError::other)?,
        }
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        if let Self::Ahead(task) = self {
            task.abort();
        }
    }
}

/// Reads a page. If the request says so, waits until there is something to read.
async fn next_page(
    inner: &Inner,
    mut news: watch::Receiver<()>,
    read: &ReadAll,
    after_event: Option<EventId>,
    until_later: bool,
) -> Result<Page, StoreError> {
    loop {
        match read::page(inner.readers(), read, after_event).await {
            Ok(page) if !until_later || page.read_to > read.after => return Ok(page),
            Ok(_nothing_new) => {}
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error),
        }
        wait(&mut news, inner.poll_interval).await;
    }
}

/// Waits for news, or until it is time to look without news.
pub(super) async fn wait(news: &mut watch::Receiver<()>, longest: Duration) {
    let wait = tokio::time::timeout(longest, async {
        if news.changed().await.is_err() {
            // The listener's runtime has ended, so there will be no news.
            std::future::pending::<()>().await;
        }
    });
    let _time_is_up = wait.await;
}
