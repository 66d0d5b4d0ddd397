//! Projections.

use std::error::Error;
use std::time::Duration;

use eventcore::{
    EventStore, Filter, HandlerError, Position, Projection, ProjectionName, ProjectionOptions,
    ProjectionStore, StoredEvent, run_projection, run_projection_until, run_projection_with,
};
use serde_json::json;

use super::{Counted, add, add_as};

/// Where the projections of the tests write the numbers that they apply.
pub trait Book<S: ProjectionStore>: Clone + Send + Sync + 'static {
    /// Writes a number, in the transaction.
    fn note(
        &self,
        number: u64,
        transaction: &mut S::Transaction,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;

    /// The committed numbers, in the order in which they were written.
    fn noted(&self) -> impl Future<Output = Vec<u64>> + Send;
}

/// A projection that writes every number to a book.
pub(crate) struct Noting<B> {
    pub(crate) book: B,
    pub(crate) name: &'static str,
    pub(crate) filter: Filter,
    /// The number that it refuses.
    pub(crate) refuses: Option<u64>,
    /// How long it takes for each event.
    pub(crate) takes: Duration,
}

impl<B: Clone> Noting<B> {
    pub(crate) fn in_book(book: &B) -> Self {
        Self {
            book: book.clone(),
            name: "noting",
            filter: Filter::all(),
            refuses: None,
            takes: Duration::ZERO,
        }
    }
}

impl<S: ProjectionStore, B: Book<S>> Projection<S> for Noting<B> {
    type Event = Counted;

    fn name(&self) -> &str {
        self.name
    }

    fn filter(&self) -> Filter {
        self.filter.clone()
    }

    async fn apply(
        &mut self,
        event: StoredEvent<Counted>,
        transaction: &mut S::Transaction,
    ) -> Result<(), HandlerError> {
        let Counted(number) = event.event;
        self.book.note(number, transaction).await?;
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        match self.refuses {
            Some(refused) if refused == number => Err("this one is refused".into()),
            _ => Ok(()),
        }
    }
}

/// Appends these numbers, and returns their positions.
async fn add_all<S: EventStore>(
    store: &S,
    numbers: std::ops::RangeInclusive<u64>,
) -> Vec<Position> {
    let mut positions = Vec::new();
    for n in numbers {
        positions.push(add(store, if n % 3 == 0 { "b" } else { "a" }, n).await);
    }
    positions
}

async fn checkpoint<S: ProjectionStore>(store: &S) -> Position {
    let name = ProjectionName::new("noting").unwrap();
    store.checkpoint(&name).await.unwrap()
}

pub async fn every_event_takes_effect_once_over_many_runs<S, B>((store, book): &(S, B))
where
    S: ProjectionStore,
    B: Book<S>,
{
    let at = add_all(store, 1..=25).await;
    let mut noting = Noting::in_book(book);
    let options = ProjectionOptions::new().batch(4).until(at[9]);
    run_projection_with(store, &mut noting, &options)
        .await
        .unwrap();
    assert_eq!(book.noted().await, (1..=12).collect::<Vec<_>>());
    assert_eq!(checkpoint(store).await, at[11]);
    for _ in 0..2 {
        run_projection_until(store, &mut noting, at[24])
            .await
            .unwrap();
        assert_eq!(book.noted().await, (1..=25).collect::<Vec<_>>());
    }
    // And future ones.
    let mut waiting = Noting::in_book(book);
    let following = async {
        let position = add(store, "a", 26).await;
        while checkpoint(store).await < position {
            store.sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        stopped = run_projection(store, &mut waiting) => panic!("{stopped:?}"),
        () = following => {}
    }
    assert_eq!(book.noted().await, (1..=26).collect::<Vec<_>>());
}

pub async fn an_event_that_is_refused_stops_the_projection_before_its_batch<S, B>(
    (store, book): &(S, B),
) where
    S: ProjectionStore,
    B: Book<S>,
{
    let at = add_all(store, 1..=12).await;
    let mut noting = Noting::in_book(book);
    noting.refuses = Some(9);
    let options = ProjectionOptions::new().batch(5).until(at[11]);
    for _ in 0..2 {
        let stopped = run_projection_with(store, &mut noting, &options).await;
        let error = stopped.unwrap_err();
        assert_eq!(error.projection(), "noting");
        assert_eq!(error.position(), Some(at[8]));
        assert_eq!(error.stream_id().unwrap(), "b");
        assert!(!error.is_undecodable());
        assert_eq!(error.source().unwrap().to_string(), "this one is refused");
        assert_eq!(book.noted().await, [1, 2, 3, 4, 5]);
        assert_eq!(checkpoint(store).await, at[4]);
    }
    noting.refuses = None;
    run_projection_with(store, &mut noting, &options)
        .await
        .unwrap();
    assert_eq!(book.noted().await, (1..=12).collect::<Vec<_>>());
}

pub async fn an_event_that_cannot_be_decoded_stops_the_projection<S, B>((store, book): &(S, B))
where
    S: ProjectionStore,
    B: Book<S>,
{
    add(store, "a", 1).await;
    let position = add_as(store, "b", "Unheard", json!(2)).await;
    let mut noting = Noting::in_book(book);
    let stopped = run_projection(store, &mut noting).await;
    let error = stopped.unwrap_err();
    assert!(
        error.is_undecodable() && error.position() == Some(position),
        "{error}"
    );
    assert_eq!(error.stream_id().unwrap(), "b");
    assert_eq!(book.noted().await, [0; 0]);
    assert_eq!(checkpoint(store).await, Position::START);
}

pub async fn a_projection_that_is_dropped_has_committed_whole_batches<S, B>((store, book): &(S, B))
where
    S: ProjectionStore,
    B: Book<S>,
{
    let at = add_all(store, 1..=60).await;
    let mut noting = Noting::in_book(book);
    noting.takes = Duration::from_millis(2);
    let options = ProjectionOptions::new().batch(5).until(at[59]);
    let mut dropped = 0;
    loop {
        // Longer each time, so that it makes progress on a busy machine too.
        let limit = Duration::from_millis(11 + 3 * dropped);
        let run = run_projection_with(store, &mut noting, &options);
        match tokio::time::timeout(limit, run).await {
            Ok(done) => break done.unwrap(),
            Err(_dropped) => dropped += 1,
        }
        let noted = book.noted().await;
        assert_eq!(noted.len() % 5, 0, "{noted:?}");
    }
    assert!(dropped > 0);
    assert_eq!(book.noted().await, (1..=60).collect::<Vec<_>>());
}

pub async fn a_projection_without_a_valid_name_does_not_run<S, B>((store, book): &(S, B))
where
    S: ProjectionStore,
    B: Book<S>,
{
    let mut noting = Noting::in_book(book);
    noting.name = "";
    let stopped = run_projection(store, &mut noting).await;
    let error = stopped.unwrap_err();
    assert!(
        error.store().unwrap().is_malformed() && error.position().is_none(),
        "{error}"
    );
}

pub async fn a_checkpoint_passes_over_events_that_do_not_match<S, B>((store, book): &(S, B))
where
    S: ProjectionStore,
    B: Book<S>,
{
    let last = *add_all(store, 1..=2).await.last().unwrap();
    let mut noting = Noting::in_book(book);
    noting.filter = Filter::all().stream_prefix("b");
    run_projection_until(store, &mut noting, last)
        .await
        .unwrap();
    assert_eq!(book.noted().await, [0; 0]);
    assert!(checkpoint(store).await >= last);
}
