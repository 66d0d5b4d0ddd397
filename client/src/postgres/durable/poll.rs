//! Polling a durable subscription: asking at once, and waiting for a reason to ask again.
//!
//! `eventcore_poll` could wait inside the server. That would take a connection for every consumer that
//! waits, keep a snapshot that VACUUM respects, and end in an error when `statement_timeout` is
//! shorter. So the wait is here, without a connection: for the news of new events that the one
//! listening connection of the store hears (half a millisecond from commit to poll), and for what this
//! process knows to be there again: given back, or due to be tried again. That an acknowledgement has
//! released a stream is no reason: who acknowledged polls next, and gets what follows. What remains is
//! what only other processes or the clock know, such as a lease that ran out: a look every second.
//!
//! Of the consumers of one subscription in this process only one is on watch and asks when there is
//! news; when it has got something the next one takes over. So an event does not bring all of them to
//! the server at once, where they would queue for the lock of the subscription.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use super::redelivery::either;
use super::sql;
use crate::durable::{Delivered, LeasedBatch, Nack};
use crate::postgres::Inner;
use crate::postgres::error::store_error;
use crate::postgres::read::count;
use crate::postgres::row::{self, event_columns};
use crate::store::StoreError;
use crate::values::{ConsumerName, SubscriptionName};

const POLL: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", lease_id, attempt
  FROM eventcore_poll($1::text, $2::text, $3::bigint)"
);

/// How often to look when there is no news.
const LOOK: Duration = Duration::from_secs(1);

pub(in crate::postgres) async fn poll(
    inner: &Arc<Inner>,
    subscription: &SubscriptionName,
    consumer: &ConsumerName,
    max_events: u32,
    wait: Duration,
) -> Result<Option<LeasedBatch>, StoreError> {
    let ends = Instant::now().checked_add(wait);
    let ask = || {
        let asked = PollRequest {
            inner: Arc::clone(inner),
            subscription: subscription.clone(),
            consumer: consumer.clone(),
            max_events,
        };
        asked.safely()
    };
    if wait.is_zero() {
        return ask().await;
    }
    let watch = inner.poll_locks.of(subscription);
    let Ok(_on_watch) = tokio::time::timeout(wait, watch.lock()).await else {
        // Once in a while all ask, lest all of them depend on one whose connection hangs.
        return ask().await;
    };
    // Listening for good once there are consumers: a connection that comes and goes with each poll
    // would be late every time.
    let listener = inner.consumers.get_or_init(|| inner.listening.listener());
    let (mut news, mut returned) = (listener.news(), inner.redelivery.told());
    loop {
        // Noted before asking: what comes in between is another reason to ask.
        news.mark_unchanged();
        returned.mark_unchanged();
        let asked_at = Instant::now();
        if let Some(batch) = ask().await? {
            return Ok(Some(batch));
        }
        let now = Instant::now();
        if now.duration_since(asked_at) > LOOK / 2 {
            // It was busy passing over what is not of interest, and stopped for the others' sake.
            continue;
        }
        let left = ends.map_or(LOOK, |ends| ends.saturating_duration_since(now));
        if left.is_zero() {
            return Ok(None);
        }
        let longest = inner.redelivery.until_due(now).unwrap_or(LOOK);
        let reason = either(news.changed(), returned.changed());
        let _time_is_up = tokio::time::timeout(left.min(LOOK).min(longest), reason).await;
    }
}

/// One question to the server.
struct PollRequest {
    inner: Arc<Inner>,
    subscription: SubscriptionName,
    consumer: ConsumerName,
    max_events: u32,
}

/// A batch on its way to whoever asked. Given back if nobody takes it.
struct BatchInTransit {
    asked: PollRequest,
    batch: Option<LeasedBatch>,
}

impl PollRequest {
    /// Asks in a task of its own: if whoever asked has gone when the answer comes, the batch is given
    /// back, and does not have to wait for its lease to run out.
    async fn safely(self) -> Result<Option<LeasedBatch>, StoreError> {
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let polled = self.poll().await;
            let asked = self;
            // Not taken, it is dropped, and so given back.
            let _taken = answer.send(polled.map(|batch| BatchInTransit { asked, batch }));
        });
        match answered.await {
            Ok(polled) => Ok(polled?.take()),
            Err(lost) => Err(StoreError::transient(lost)),
        }
    }

    async fn poll(&self) -> Result<Option<LeasedBatch>, StoreError> {
        let rows = self
            .inner
            .pool
            // A lease that is lost with the server costs a delivery more, as when it runs out.
            .query_unconfirmed(
                POLL,
                &[
                    &self.subscription.as_str(),
                    &self.consumer.as_str(),
                    &count(self.max_events),
                ],
            )
            .await?;
        batch(&rows)
    }
}

impl BatchInTransit {
    fn take(mut self) -> Option<LeasedBatch> {
        self.batch.take()
    }
}

impl Drop for BatchInTransit {
    fn drop(&mut self) {
        let (Some(batch), Ok(runtime)) = (self.batch.take(), Handle::try_current()) else {
            return;
        };
        let (inner, subscription) = (
            Arc::clone(&self.asked.inner),
            self.asked.subscription.clone(),
        );
        runtime.spawn(async move {
            let release = Nack::release();
            let lease_id = batch.lease_id;
            // If this fails the lease runs out.
            let _released = sql::nack(&inner.pool, &subscription, lease_id, None, &release).await;
            inner.redelivery.tell();
        });
    }
}

fn batch(rows: &[Row]) -> Result<Option<LeasedBatch>, StoreError> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let lease_id = sql::lease_id(first.try_get("lease_id").map_err(store_error)?);
    let mut events: Vec<Delivered> = Vec::with_capacity(rows.len());
    for row in rows {
        let attempt: i32 = row.try_get("attempt").map_err(store_error)?;
        let before = events.last().map(|before| &before.event);
        let names = before.map(|before| (&before.stream_id, &before.event_type));
        let delivered = Delivered {
            attempt: u32::try_from(attempt).map_err(StoreError::other)?,
            event: row::event(row, names)?,
        };
        events.push(delivered);
    }
    Ok(Some(LeasedBatch { lease_id, events }))
}
