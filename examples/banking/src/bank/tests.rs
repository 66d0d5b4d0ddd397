//! The whole run detects a store that breaks its promises.

use std::time::Duration;

use eventcore::{
    EventStore, InMemoryEventStore, Page, ReadAll, RecordedEvent, Subscribe, Subscription,
};
use eventcore_testing::intercept::{Intercept, Intercepted};

use super::*;
use crate::transfer_file::parse;

/// Spoils what subscriptions read.
#[derive(Clone)]
struct Spoil(fn(&mut Vec<RecordedEvent>));

impl Intercept<InMemoryEventStore> for Spoil {
    fn subscribe(&self, store: &InMemoryEventStore, subscribe: Subscribe) -> Subscription {
        let (store, spoil) = (store.clone(), self.0);
        Subscription::new(subscribe.after, move |request| {
            let store = store.clone();
            async move {
                loop {
                    let mut events = store.read_all(&ReadAll::new().after(request.after)).await?;
                    if let Some(last) = events.last() {
                        let read_to = last.position;
                        spoil(&mut events);
                        return Ok(Page::new(events.into_iter().map(Ok), read_to, false));
                    }
                    store.sleep(Duration::from_millis(1)).await;
                }
            }
        })
    }
}

/// The violated invariants if subscriptions are spoiled like this.
async fn violated(spoil: fn(&mut Vec<RecordedEvent>)) -> Vec<Invariant> {
    let store = Intercepted::with(InMemoryEventStore::new(), Spoil(spoil));
    let lines = parse("from,to,cents\n001,002,1\n002,003,1\n003,001,1\n").unwrap();
    let audited = run(&store, lines, NonZeroUsize::MIN).await.unwrap();
    let failed = audited.report.matches("FAILED").count();
    assert_eq!(failed, audited.violated.len(), "{}", audited.report);
    audited.violated
}

#[tokio::test]
async fn a_sound_store_passes() {
    assert_eq!(violated(|_| {}).await, []);
}

#[tokio::test]
async fn a_subscription_that_forgets_an_event_does_not_pass() {
    let found = violated(|events| events.retain(|event| event.position.get() != 201)).await;
    assert_eq!(
        found,
        [
            Invariant::NothingMissed,
            Invariant::VersionsGapless,
            Invariant::BalancesAgree
        ]
    );
}

#[tokio::test]
async fn a_subscription_that_repeats_an_event_does_not_pass() {
    let found = violated(|events| {
        if let Some(index) = events.iter().position(|event| event.position.get() == 200) {
            events.insert(index, events[index].clone());
        }
    })
    .await;
    assert_eq!(
        found,
        [
            Invariant::EachEventOnce,
            Invariant::PositionsRise,
            Invariant::VersionsGapless,
            Invariant::BalancesAgree
        ]
    );
}
