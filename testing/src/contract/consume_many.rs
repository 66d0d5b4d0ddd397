//! Many consumers of one subscription.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventcore::{Consumer, EventId, Nack, Settled, SubscriptionDefinition, SubscriptionStore};

use super::{Counted, add, consume, create, polled};

const CONSUMERS: u64 = 5;
const STREAMS: u64 = 12;
const EVENTS: u64 = 360;

/// The acknowledged events: stream and version, in the order of the acknowledgements.
type Answered = Arc<Mutex<Vec<(String, u64)>>>;

/// Consumers work while events arrive, give some back at random, drop deliveries, and are replaced.
pub async fn many_consumers_answer_each_event_once_and_each_stream_in_order<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let definition = SubscriptionDefinition::new().retry_limit(1_000);
    create(store, &definition).await;
    let answered = Answered::default();
    let consumers: Vec<_> = (0..CONSUMERS)
        .map(|n| tokio::spawn(work(store.clone(), n, Arc::clone(&answered))))
        .collect();
    for n in 0..EVENTS {
        add(store, &format!("stream-{}", n * 7 % STREAMS), n).await;
    }
    while (answered.lock().unwrap().len() as u64) < EVENTS {
        for consumer in &consumers {
            assert!(!consumer.is_finished(), "a consumer has stopped");
        }
        store.sleep(Duration::from_millis(10)).await;
    }
    for consumer in &consumers {
        consumer.abort();
    }
    for consumer in consumers {
        assert!(consumer.await.unwrap_err().is_cancelled());
    }
    assert_eq!(polled(store).await, [""; 0]);

    let mut versions = HashMap::<String, u64>::new();
    for (stream, version) in answered.lock().unwrap().iter() {
        let last = versions.entry(stream.clone()).or_default();
        assert_eq!(*version, *last + 1, "in {stream}, after {last}");
        *last = *version;
    }
    assert_eq!(versions.values().sum::<u64>(), EVENTS);
}

async fn work<S>(store: S, n: u64, answered: Answered)
where
    S: SubscriptionStore + Clone + 'static,
{
    loop {
        let mut consumer: Consumer<Counted, S> = consume::new(&store, &format!("consumer-{n}"));
        for _ in 0..1 + random(60) {
            let delivery = consumer.next_delivery().await.unwrap();
            let stands_for = (delivery.stream_id.to_string(), delivery.version.get());
            match random(12) {
                0 => {
                    let nack = Nack::retry().delay(Duration::from_millis(random(20)));
                    delivery.nack(nack).await.unwrap();
                }
                1 => {
                    delivery.nack(Nack::release()).await.unwrap();
                }
                2 => drop(delivery),
                _ => {
                    // Recorded before the acknowledgement, so that the next event of the stream is recorded
                    // later.
                    assert!(!delivery.is_void());
                    answered.lock().unwrap().push(stands_for);
                    assert_eq!(delivery.ack().await.unwrap(), Settled::Done);
                }
            }
        }
        // The consumer is replaced, in one way or the other.
        match random(2) {
            0 => consumer.close().await.unwrap(),
            _ => drop(consumer),
        }
    }
}

/// A number below `limit`.
fn random(limit: u64) -> u64 {
    let (_, bits) = EventId::new().as_uuid().as_u64_pair();
    u64::from(bits as u32) % limit
}
