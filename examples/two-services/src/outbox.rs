//! [`relay`]: the events of a service are its outbox. A durable subscription sends them on.

use std::convert::Infallible;
use std::time::Duration;

use eventcore::{
    Consumer, ConsumerName, ConsumerOptions, Event, Filter, HandlerError, RetryPolicy, StoredEvent,
    SubscriptionDefinition, SubscriptionName, SubscriptionStore,
};

use crate::message::{Envelope, Message};
use crate::wire::{Receive, Wire};

/// What a service sends.
pub struct Outbox<E> {
    /// The subscription that keeps how far it has come.
    pub subscription: &'static str,
    /// What the streams start with whose events are messages.
    pub streams: &'static str,
    /// The message of an event, if it is one.
    pub message: fn(&StoredEvent<E>) -> Option<Message>,
}

/// Sends the messages of a service, each until its receipt is known, in the order of each stream.
/// Any number of relays may run and be killed: the store keeps what was sent.
///
/// # Errors
///
/// The subscription cannot be used.
pub async fn relay<E, S, R>(
    store: &S,
    outbox: &Outbox<E>,
    wire: &Wire<R>,
) -> Result<Infallible, HandlerError>
where
    E: Event,
    S: SubscriptionStore + Clone + 'static,
    R: Receive,
{
    let name = SubscriptionName::new(outbox.subscription)?;
    let definition = SubscriptionDefinition::new()
        .filter(Filter::all().stream_prefix(outbox.streams))
        // A relay that was killed keeps its events from others for this long.
        .lease(Duration::from_secs(2))
        // No message is given up.
        .retry_limit(1_000_000);
    store.create_subscription(&name, &definition).await?;

    let retry = RetryPolicy::default().attempts(u32::MAX);
    let retry = retry
        .base(Duration::from_millis(10))
        .cap(Duration::from_secs(1));
    let options = ConsumerOptions::new().batch(10).retry_delay(retry);
    let relay = ConsumerName::new(format!("relay-{}", std::process::id()))?;
    let consumer = Consumer::with_options(store.clone(), name, relay, options);
    let never = consumer.run(|stored: StoredEvent<E>| async move {
        match (outbox.message)(&stored) {
            Some(message) => {
                let id = stored.event_id;
                wire.send(&Envelope { id, message }).await
            }
            None => Ok(()),
        }
    });
    Ok(never.await?)
}
