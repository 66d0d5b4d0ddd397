//! Following: pages of events, the next one as soon as a notification says that there is more.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use super::{Inner, read};
use crate::{Page, ReadAll, StoreError, Subscribe, Subscription};

pub(super) fn subscribe(inner: Arc<Inner>, subscribe: Subscribe) -> Subscription {
    let Subscribe {
        after,
        filter,
        page,
    } = subscribe;
    let read = ReadAll::new().limit(page).filter(filter);
    // Held as long as the subscription is, also between two pages.
    let listener = Arc::new(OnceLock::new());
    Subscription::new(after, move |request| {
        let inner = Arc::clone(&inner);
        let listener = Arc::clone(&listener);
        let read = read.clone().after(request.after);
        async move {
            let listener = listener.get_or_init(|| inner.listening.listener());
            next_page(&inner, listener.news(), &read, request.wait).await
        }
    })
}

/// Reads, if told to until there is something, and waits for news in between.
async fn next_page(
    inner: &Inner,
    mut news: watch::Receiver<()>,
    read: &ReadAll,
    until_later: bool,
) -> Result<Page, StoreError> {
    loop {
        match read::page(&inner.pool, read).await {
            Ok(page) if !until_later || page.read_to > read.after => return Ok(page),
            Ok(_nothing_new) => {}
            Err(error) if error.is_retriable() => {}
            Err(error) => return Err(error),
        }
        wait(&mut news, inner.poll_interval).await;
    }
}

/// Waits for news, or until it is time to look without.
pub(super) async fn wait(news: &mut watch::Receiver<()>, longest: Duration) {
    let wait = tokio::time::timeout(longest, async {
        if news.changed().await.is_err() {
            // The runtime of the listener is gone, and no news will ever come.
            std::future::pending::<()>().await;
        }
    });
    let _time_is_up = wait.await;
}
