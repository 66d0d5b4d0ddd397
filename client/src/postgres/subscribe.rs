//! Following: pages of events, the next one as soon as a notification says that there is more.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use super::{Inner, read};
use crate::{Filter, Page, Position, ReadAll, StoreError, Subscribe, Subscription};

pub(super) fn subscribe(inner: Arc<Inner>, subscribe: Subscribe) -> Subscription {
    let Subscribe {
        after,
        filter,
        page,
    } = subscribe;
    let read = ReadAll::new().limit(page).filter(filter);
    // Held as long as the subscription is, also between two pages.
    let listener = Arc::new(OnceLock::new());
    Subscription::new(after, move |after| {
        let inner = Arc::clone(&inner);
        let listener = Arc::clone(&listener);
        let read = read.clone().after(after);
        async move {
            let listener = listener.get_or_init(|| inner.listening.listener());
            next_page(&inner, listener.news(), read).await
        }
    })
}

/// Reads until there is something, and waits for news in between.
async fn next_page(
    inner: &Inner,
    mut news: watch::Receiver<()>,
    mut read: ReadAll,
) -> Result<Page, StoreError> {
    loop {
        match read_page(inner, &read).await {
            Ok(page) if !page.events.is_empty() => return Ok(page),
            Ok(page) => read.after = page.read_to,
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error),
        }
        wait(&mut news, inner.poll_interval).await;
    }
}

/// Waits for news, or until it is time to look without.
async fn wait(news: &mut watch::Receiver<()>, longest: Duration) {
    let wait = tokio::time::timeout(longest, async {
        if news.changed().await.is_err() {
            // The runtime of the listener is gone, and no news will ever come.
            std::future::pending::<()>().await;
        }
    });
    let _time_is_up = wait.await;
}

async fn read_page(inner: &Inner, read: &ReadAll) -> Result<Page, StoreError> {
    // With a filter there may be much to pass over, and no event to tell how far. Taken before the
    // read, this position is covered by it.
    let seen = match read.filter == Filter::all() {
        true => Position::START,
        false => read::safe_position(&inner.pool).await?,
    };
    let events = read::all(&inner.pool, read).await?;
    let last = events.last().map_or(read.after, |event| event.position);
    let full = events.len() >= read.limit as usize;
    Ok(Page {
        events,
        read_to: if full { last } else { last.max(seen) },
    })
}
