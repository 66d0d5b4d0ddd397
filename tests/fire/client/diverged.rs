//! A fail-over that loses events which a subscription has read: the subscription gets an error, and
//! skips nothing.

use std::sync::{Arc, Mutex};

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{
    Event, EventError, EventStore, EventSubscription, HandlerError, OnDiverged, Payload, Position,
    PostgresEventStore, PostgresTransaction, Projection, ProjectionName, ProjectionStore,
    StoredEvent, Subscribe, Subscription, run_projection, run_projection_until,
};
use eventcore_harness::Server;

use super::append;
use crate::support::{self, PATIENCE, eventually, in_time};

/// Appends one event as soon as the store accepts it.
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
async fn a_subscription_that_has_read_lost_events_gets_an_error_and_goes_back_to_where_both_histories_agree()
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
    // A reader that has read none of the lost events is not affected.
    let mut behind = store.subscribe(Subscribe::after(kept));
    assert_eq!(next(&mut behind).await.unwrap(), first);
}

#[derive(Debug)]
struct Anything;

impl Event for Anything {
    fn event_type(&self) -> &str {
        "Anything"
    }

    fn encode(&self) -> Result<Payload, EventError> {
        Ok(serde_json::json!({}).into())
    }

    fn decode(_: &str, _: &Payload) -> Result<Self, EventError> {
        Ok(Self)
    }
}

/// Writes the positions into a table, and records the calls of `diverged`.
#[derive(Clone)]
struct Positions {
    on_diverged: OnDiverged,
    asked: Arc<Mutex<Vec<Position>>>,
}

impl Positions {
    fn new(on_diverged: OnDiverged) -> Self {
        Self {
            on_diverged,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> Vec<Position> {
        self.asked.lock().unwrap().clone()
    }
}

impl Projection<PostgresEventStore> for Positions {
    type Event = Anything;

    fn name(&self) -> &str {
        "positions"
    }

    fn diverged(&mut self, agreed: Position) -> OnDiverged {
        self.asked.lock().unwrap().push(agreed);
        self.on_diverged
    }

    async fn apply(
        &mut self,
        event: StoredEvent<Anything>,
        transaction: &mut PostgresTransaction,
    ) -> Result<(), HandlerError> {
        let position = i64::try_from(event.position.get())?;
        let insert = "INSERT INTO positions VALUES ($1) ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&position]).await?;
        Ok(())
    }
}

/// A server with ten events behind a proxy, and a stopped standby that has them.
struct Two {
    old: Server,
    new: Server,
    proxy: support::Switch,
    store: PostgresEventStore,
    kept: Position,
}

impl Two {
    async fn start() -> Self {
        let old = Server::start(support::options()).unwrap();
        old.create_database("diverged").unwrap();
        old.psql("diverged", "CREATE TABLE positions (p bigint PRIMARY KEY)")
            .unwrap();
        let new = old.standby().unwrap();
        let proxy = support::Switch::to(&old);
        let store = PostgresEventStore::connect(&proxy.url("diverged")).await;
        let store = store.unwrap();
        let mut kept = Position::START;
        for _ in 0..10 {
            kept = append_one(&store).await;
        }
        Self {
            old,
            new,
            proxy,
            store,
            kept,
        }
    }

    /// The standby receives nothing more from here on.
    fn stop_standby(&mut self) {
        self.new.catch_up_with(&self.old).unwrap();
        self.new.stop().unwrap();
    }

    fn fail_over(&mut self) {
        self.old.crash().unwrap();
        self.new.start_again().unwrap();
        self.new.promote().unwrap();
        self.proxy.turn_to(&self.new);
    }

    /// The table has exactly the events of the server.
    fn assert_projected(&self) {
        let wrong = "SELECT count(*) FROM positions FULL JOIN eventcore.events ON p = position
                      WHERE p IS NULL OR position IS NULL";
        assert_eq!(self.new.psql("diverged", wrong).unwrap(), "0");
    }
}

/// Its checkpoint and its table are in the database of the events, and go back with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_that_has_taken_in_lost_events_takes_in_those_of_the_new_history_without_a_question()
 {
    for runs in [true, false] {
        let mut two = Two::start().await;
        let mut projection = Positions::new(OnDiverged::Stop);
        run_projection_until(&two.store, &mut projection, two.kept)
            .await
            .unwrap();
        two.stop_standby();
        let running = runs.then(|| {
            let (store, mut projection) = (two.store.clone(), projection.clone());
            tokio::spawn(async move { run_projection(&store, &mut projection).await })
        });
        let mut lost = Position::START;
        for _ in 0..10 {
            lost = append_one(&two.store).await;
        }
        if !runs {
            let run = run_projection_until(&two.store, &mut projection, lost);
            in_time("the projection", run).await.unwrap();
        }
        let there = format!("SELECT max(p) = {lost} FROM positions");
        eventually("it has taken in what will be lost", async || {
            two.old.psql("diverged", &there).unwrap() == "t"
        })
        .await;
        two.fail_over();
        let first = append_one(&two.store).await;
        if !runs {
            let run = run_projection_until(&two.store, &mut projection, first);
            in_time("the projection", run).await.unwrap();
        }
        let there = format!("SELECT max(p) = {first} FROM positions");
        eventually("it has taken in the new history", async || {
            if let Some(running) = &running {
                assert!(!running.is_finished());
            }
            two.new.psql("diverged", &there).unwrap() == "t"
        })
        .await;
        two.assert_projected();
        assert_eq!(projection.asked(), []);
        if let Some(running) = running {
            running.abort();
        }
    }
}

/// The checkpoint comes from a server whose last events are lost, for example through a dump of its
/// tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_whose_checkpoint_is_of_another_history_is_asked_and_stops_or_goes_back() {
    let mut two = Two::start().await;
    let mut stopping = Positions::new(OnDiverged::Stop);
    run_projection_until(&two.store, &mut stopping, two.kept)
        .await
        .unwrap();
    two.stop_standby();
    two.fail_over();
    let first = append_one(&two.store).await;
    let ahead = "UPDATE eventcore.checkpoints SET position = 4000000000";
    two.new.psql("diverged", ahead).unwrap();

    let stopped = run_projection_until(&two.store, &mut stopping, first);
    let error = in_time("the projection", stopped).await.unwrap_err();
    let agreed = stopping.asked();
    assert_eq!(agreed.len(), 1, "{error:?}");
    assert!(agreed[0] < first);
    let store = error.store();
    assert!(
        store.is_some_and(eventcore::StoreError::is_diverged),
        "{error:?}"
    );

    let mut going_back = Positions::new(OnDiverged::GoBack);
    let run = run_projection_until(&two.store, &mut going_back, first);
    in_time("the projection", run).await.unwrap();
    assert_eq!(going_back.asked(), agreed);
    two.assert_projected();
    let name = ProjectionName::new("positions").unwrap();
    assert_eq!(two.store.checkpoint(&name).await.unwrap(), first);
}
