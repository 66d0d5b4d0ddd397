//! [`Subscriber`]: follows all accounts from the first event on, while the workers work.

use std::time::Duration;

use eventcore::{EventSubscription, Filter, Position, Subscribe, Subscription};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::account_id::STREAM_PREFIX;
use crate::failure::Failure;
use crate::history::Entry;

/// How long to wait for the next event before the rest counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to watch, after the last event, for an event that should not be there.
const QUIET: Duration = Duration::from_millis(200);

/// What a subscriber saw.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The events, in the order in which it saw them.
    pub(crate) entries: Vec<Entry>,
    /// How many of them it saw before it was told to stop.
    pub(crate) live: usize,
}

/// A task that follows all accounts and keeps what it sees.
pub(crate) struct Subscriber {
    task: JoinHandle<Result<Seen, Failure>>,
    last: oneshot::Sender<Position>,
}

impl Subscriber {
    /// Subscribes, and starts to follow.
    pub(crate) fn start<S: EventSubscription>(store: &S) -> Self {
        let accounts = Filter::all().stream_prefix(STREAM_PREFIX);
        let subscription = store.subscribe(Subscribe::from_start().filter(accounts));
        let (last, end) = oneshot::channel();
        Self {
            task: tokio::spawn(follow(subscription, end)),
            last,
        }
    }

    /// What it saw until it reached the event at this position. If that event does not arrive, what
    /// it saw so far: the audit reports what is missing.
    pub(crate) async fn stop_after(self, last: Position) -> Result<Seen, Failure> {
        // Without a receiver, the task has failed and reports why.
        let _ = self.last.send(last);
        self.task.await?
    }
}

async fn follow(
    mut subscription: Subscription,
    mut end: oneshot::Receiver<Position>,
) -> Result<Seen, Failure> {
    let mut entries = Vec::new();
    let last = loop {
        tokio::select! {
            event = subscription.next_event() => entries.push(Entry::try_from(event?)?),
            last = &mut end => break last.unwrap_or_default(),
        }
    };
    let live = entries.len();
    loop {
        let patience = if subscription.position() < last {
            PATIENCE
        } else {
            QUIET
        };
        match timeout(patience, subscription.next_event()).await {
            Ok(event) => entries.push(Entry::try_from(event?)?),
            Err(_) => return Ok(Seen { entries, live }),
        }
    }
}

#[cfg(test)]
mod tests {
    use eventcore::InMemoryEventStore;

    use super::*;
    use crate::openings::{open, openings};

    #[tokio::test]
    async fn a_subscriber_sees_what_was_written_after_it_started() {
        let store = InMemoryEventStore::new();
        let subscriber = Subscriber::start(&store);
        let openings = openings().unwrap();
        let last = open(&store, &openings).await.unwrap();
        let seen = subscriber.stop_after(last).await.unwrap();
        assert_eq!(seen.entries.len(), openings.len());
    }
}
