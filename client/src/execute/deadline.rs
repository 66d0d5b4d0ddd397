//! [`until`]: work that ends at a deadline.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use crate::store::EventStore;

/// Runs `work` until the deadline, if there is one; `None` if the deadline passed first. The caller pins
/// the work: it may be large, and a future has room for each future that it is given.
pub(crate) async fn until<T>(
    deadline: Option<Instant>,
    store: &impl EventStore,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> Option<T> {
    let Some(deadline) = deadline else {
        return Some(work.await);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let mut alarm = pin!(store.sleep(left));
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => alarm.as_mut().poll(cx).map(|()| None),
    })
    .await
}
