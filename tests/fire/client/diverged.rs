//! A fail-over that loses events which a subscription has read: it is told, and skips nothing.

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    EventStore, EventSubscription, Position, PostgresEventStore, Subscribe, Subscription,
};
use eventcore_harness::Server;

use super::append;
use crate::support::{self, PATIENCE, in_time};

/// Appends one event, as soon as the store takes it.
async fn append_one(store: &PostgresEventStore) -> Position {
    let one = append(&[("s", Unchecked)]);
    let appended = async {
        loop {
            match store.append(&one).await {
                Err(error) if error.is_retriable() => store.sleep(PATIENCE / 1_000).await,
                done => break done.unwrap().last_position.unwrap(),
            }
        }
    };
    in_time("an append", appended).await
}

async fn next(subscription: &mut Subscription) -> Result<Position, eventcore::StoreError> {
    let next = in_time("a subscription", subscription.next_event()).await;
    next.map(|event| event.position)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_has_read_lost_events_is_told_and_goes_back_to_where_both_histories_agree()
 {
    let mut old = Server::start(support::options()).unwrap();
    old.create_database("diverged").unwrap();
    let mut new = old.standby().unwrap();
    let proxy = support::Switch::to(&old);
    let store = PostgresEventStore::connect(&proxy.url("diverged")).await;
    let store = store.unwrap();
    let mut kept = Position::START;
    for _ in 0..10 {
        kept = append_one(&store).await;
    }
    let (mut ahead, mut behind) = (
        store.subscribe(Subscribe::from_start()),
        store.subscribe(Subscribe::from_start()),
    );
    for subscription in [&mut ahead, &mut behind] {
        while next(subscription).await.unwrap() < kept {}
    }
    new.catch_up_with(&old).unwrap();
    new.stop().unwrap();
    let mut lost = Vec::new();
    for _ in 0..10 {
        lost.push(append_one(&store).await);
    }
    for position in &lost {
        assert_eq!(next(&mut ahead).await.unwrap(), *position);
    }
    drop(behind);

    old.crash().unwrap();
    new.start_again().unwrap();
    new.promote().unwrap();
    proxy.turn_to(&new);
    let first = append_one(&store).await;
    let error = next(&mut ahead).await.unwrap_err();
    assert!(error.is_diverged() && !error.is_retriable(), "{error:?}");
    let agreed = error.agreed_position().unwrap();
    assert!(
        kept <= agreed && agreed < lost[0],
        "{kept} {agreed} {}",
        lost[0]
    );
    assert!(next(&mut ahead).await.unwrap_err().is_diverged());

    let mut again = store.subscribe(Subscribe::after(agreed));
    assert_eq!(next(&mut again).await.unwrap(), first);
    // Who has read nothing that is lost is not troubled.
    let mut behind = store.subscribe(Subscribe::after(kept));
    assert_eq!(next(&mut behind).await.unwrap(), first);
}
