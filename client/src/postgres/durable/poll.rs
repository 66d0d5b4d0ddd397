//! Polls a durable subscription, and waits for a reason to poll again.
//!
//! `eventcore_poll` could wait inside the server. But then every waiting consumer would occupy a
//! connection, its snapshot would hold back VACUUM, and a shorter `statement_timeout` would end the
//! wait with an error. So the wait happens here, without a connection. It ends when the store's
//! listening connection reports new events (half a millisecond after the commit), or when this
//! process knows of events that are available again because they were given back or their delay is
//! over. An acknowledgement that releases a stream is not a reason to poll: its consumer polls next
//! and gets the following events. Everything else, such as an expired lease, is known only to other
//! processes or to the clock; for that there is a poll every second.
//!
//! Of the consumers of one subscription in this process, only one waits for news and polls. When it
//! has received events, the next one takes over. So an event does not send all of them to the
//! server at once, where they would queue for the subscription's lock.

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

/// How often to poll without news.
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
        // From time to time every consumer polls, in case the connection of the polling one hangs.
        return ask().await;
    };
    // Keep listening once there are consumers: a connection that is opened for each poll would
    // always be late.
    let listener = inner.consumers.get_or_init(|| inner.listening.listener());
    let (mut news, mut returned) = (listener.news(), inner.redelivery.told());
    loop {
        // Mark the news as seen before polling, so that news in between causes another poll.
        news.mark_unchanged();
        returned.mark_unchanged();
        let asked_at = Instant::now();
        if let Some(batch) = ask().await? {
            return Ok(Some(batch));
        }
        let now = Instant::now();
        if now.duration_since(asked_at) > LOOK / 2 {
            // The poll took long because it skipped events that do not match, and stopped to let
            // others work.
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

/// One poll of the server.
struct PollRequest {
    inner: Arc<Inner>,
    subscription: SubscriptionName,
    consumer: ConsumerName,
    max_events: u32,
}

/// A batch on its way to the consumer. It is given back if the consumer is gone.
struct BatchInTransit {
    asked: PollRequest,
    batch: Option<LeasedBatch>,
}

impl PollRequest {
    /// Polls in a task of its own. If the consumer is gone when the answer arrives, the batch is
    /// given back and need not wait for its lease to expire.
    async fn safely(self) -> Result<Option<LeasedBatch>, StoreError> {
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let polled = self.poll().await;
            let asked = self;
            // A batch without a receiver is dropped, which gives it back.
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
            // If the lease is lost with the server this costs one more delivery, as an expired
            // lease does.
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
            // If this fails, the lease expires.
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
