//! [`RedeliverySignal`]: which events of durable subscriptions this process knows to be available
//! again, now or later.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Wakes the polls of a store.
pub(in crate::postgres) struct RedeliverySignal {
    told: watch::Sender<()>,
    /// When the events that were given back with a delay are due.
    due: Mutex<Vec<Instant>>,
}

impl RedeliverySignal {
    pub(in crate::postgres) fn new() -> Self {
        Self {
            told: watch::Sender::new(()),
            due: Mutex::default(),
        }
    }

    /// Changes when events are available again.
    pub(in crate::postgres) fn told(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    pub(in crate::postgres) fn tell(&self) {
        self.told.send_replace(());
    }

    /// Events are available again after a delay. Wakes all waiters, so that they compute how long
    /// to wait.
    pub(in crate::postgres) fn later(&self, delay: Duration) {
        let now = Instant::now();
        let mut due = self.due();
        due.retain(|due| *due > now);
        due.extend(now.checked_add(delay));
        drop(due);
        self.tell();
    }

    /// How long until events are due.
    pub(in crate::postgres) fn until_due(&self, now: Instant) -> Option<Duration> {
        let due = self.due();
        let later = due.iter().filter(|due| **due > now);
        // Slightly late rather than early, because an early poll finds nothing.
        let late = Duration::from_millis(1);
        later
            .min()
            .map(|due| due.saturating_duration_since(now) + late)
    }

    fn due(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ready when one of the two has news. A future whose sender is gone never has any.
pub(in crate::postgres) async fn either<E>(
    one: impl Future<Output = Result<(), E>>,
    other: impl Future<Output = Result<(), E>>,
) {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut one_is_gone, mut other_is_gone) = (false, false);
    std::future::poll_fn(|cx| {
        if !one_is_gone && let Poll::Ready(news) = one.as_mut().poll(cx) {
            match news {
                Ok(()) => return Poll::Ready(()),
                Err(_) => one_is_gone = true,
            }
        }
        if !other_is_gone && let Poll::Ready(news) = other.as_mut().poll(cx) {
            match news {
                Ok(()) => return Poll::Ready(()),
                Err(_) => other_is_gone = true,
            }
        }
        Poll::Pending
    })
    .await;
}
