//! [`run_projection`]: follows the events, and commits batches of them with the checkpoint.

use std::convert::Infallible;

use super::error::Kind;
use super::{
    OnDiverged, OnUndecodable, Projection, ProjectionError, ProjectionOptions, ProjectionStore,
};
use crate::store::{RecordedEvent, StoreError};
use crate::subscription::{FollowError, Subscribe};
use crate::values::{Position, ProjectionName};

/// So many positions without an event of interest are worth a move of the checkpoint on their own.
const WORTH_A_CHECKPOINT: u64 = 10_000;

/// Runs a projection for ever: takes in all events from its checkpoint on, then those to come.
///
/// To end it, drop the future: nothing is half committed. It may run in several processes at once: they
/// take turns, and each event takes effect once. What fails for now, such as a lost connection, is tried
/// again.
///
/// # Errors
///
/// The projection returned an error, or an event is none of its event type: the error names the event,
/// and the checkpoint is before its batch. Or the store refuses.
pub async fn run_projection<S, P>(
    store: &S,
    projection: &mut P,
) -> Result<Infallible, ProjectionError>
where
    S: ProjectionStore,
    P: Projection<S>,
{
    let options = ProjectionOptions::new();
    loop {
        // Without a place to end at, this returns with errors only.
        run_projection_with(store, projection, &options).await?;
    }
}

/// Runs a projection until it has taken in everything up to a position; perhaps some more.
///
/// # Errors
///
/// As [`run_projection`].
pub async fn run_projection_until<S, P>(
    store: &S,
    projection: &mut P,
    position: Position,
) -> Result<(), ProjectionError>
where
    S: ProjectionStore,
    P: Projection<S>,
{
    let options = ProjectionOptions::new().until(position);
    run_projection_with(store, projection, &options).await
}

/// As [`run_projection`], with options of the caller's.
///
/// # Errors
///
/// As [`run_projection`].
pub async fn run_projection_with<S, P>(
    store: &S,
    projection: &mut P,
    options: &ProjectionOptions,
) -> Result<(), ProjectionError>
where
    S: ProjectionStore,
    P: Projection<S>,
{
    let name = ProjectionName::new(projection.name()).map_err(|invalid| {
        let error = StoreError::malformed("projection", None, invalid);
        ProjectionError::new(projection.name(), Kind::Store(error))
    })?;
    let mut run = Run {
        store,
        name,
        options,
        checkpoint: Position::START,
        failed: 0,
    };
    let ran = run.run(projection).await;
    ran.map_err(|kind| ProjectionError::new(run.name.as_str(), kind))
}

struct Run<'a, S> {
    store: &'a S,
    name: ProjectionName,
    options: &'a ProjectionOptions,
    /// The checkpoint, as far as is known.
    checkpoint: Position,
    /// How often in a row the store has failed.
    failed: u32,
}

/// Kind a batch was not committed, or may not have been.
enum StopReason {
    /// Another runner was here.
    Overtaken,
    Store(StoreError),
    Event(Kind),
    /// An error of the store's that passes, by way of the projection.
    Passing(Kind),
}

impl<S: ProjectionStore> Run<'_, S> {
    /// Begins at the checkpoint, again whenever it is not known any more where that is.
    async fn run<P: Projection<S>>(&mut self, projection: &mut P) -> Result<(), Kind> {
        loop {
            let stopped = match self.follow(projection).await {
                Ok(()) => return Ok(()),
                Err(stopped) => stopped,
            };
            let goes_on = match stopped {
                StopReason::Store(error) if error.is_diverged() => {
                    self.meet_another_history(projection, error).await
                }
                stopped => Err(stopped),
            };
            match goes_on {
                Ok(()) => {}
                Err(StopReason::Overtaken) => {}
                Err(StopReason::Store(error)) if error.is_retriable() => {
                    self.back_off(Kind::Store(error)).await?;
                }
                Err(StopReason::Store(error)) => return Err(Kind::Store(error)),
                Err(StopReason::Passing(kind)) => self.back_off(kind).await?,
                Err(StopReason::Event(kind)) => return Err(kind),
            }
        }
    }

    async fn follow<P: Projection<S>>(&mut self, projection: &mut P) -> Result<(), StopReason> {
        self.checkpoint = self.store.checkpoint(&self.name).await?;
        let mut subscription = self.store.subscribe(
            Subscribe::after(self.checkpoint)
                .filter(projection.filter())
                .page(self.options.batch),
        );
        loop {
            let until = self.options.until;
            if until.is_some_and(|until| self.checkpoint >= until) {
                return Ok(());
            }
            let (events, read_to) = subscription.next_page().await?;
            let passed = read_to.get() - self.checkpoint.get();
            let at_the_end = until.is_some_and(|until| read_to >= until);
            if !events.is_empty() || passed >= WORTH_A_CHECKPOINT || at_the_end {
                self.take_in(projection, events, read_to).await?;
                self.failed = 0;
            }
        }
    }

    /// The store has another history than the one that was read last. Whatever was read beyond the checkpoint took no
    /// effect that is left: the checkpoint came through with its effects, or neither did. So only a checkpoint that is
    /// of another history itself is the projection's concern.
    async fn meet_another_history<P: Projection<S>>(
        &mut self,
        projection: &mut P,
        error: StoreError,
    ) -> Result<(), StopReason> {
        let Some((after, agreed)) = error.diverged_positions() else {
            return Err(StopReason::Store(error));
        };
        self.checkpoint = self.store.checkpoint(&self.name).await?;
        if self.checkpoint != after {
            return Ok(());
        }
        match projection.diverged(agreed) {
            OnDiverged::GoBack => self.go_back(agreed).await,
            OnDiverged::Stop => Err(StopReason::Store(error)),
        }
    }

    /// Moves the checkpoint to where the history that it is of is still the one of the store.
    async fn go_back(&mut self, agreed: Position) -> Result<(), StopReason> {
        let mut transaction = self.store.begin().await?;
        let (from, name) = (self.checkpoint, &self.name);
        let moving = self
            .store
            .advance_checkpoint(&mut transaction, name, from, agreed);
        match moving.await {
            Ok(()) => Ok(self.store.commit(transaction).await?),
            Err(error) => {
                self.store.roll_back(transaction).await;
                Err(error.into())
            }
        }
    }

    /// Takes in a page, and moves the checkpoint with it.
    async fn take_in<P: Projection<S>>(
        &mut self,
        projection: &mut P,
        events: Vec<RecordedEvent>,
        read_to: Position,
    ) -> Result<(), StopReason> {
        let mut transaction = self.store.begin().await?;
        match self
            .apply(projection, events, read_to, &mut transaction)
            .await
        {
            Ok(()) => self.store.commit(transaction).await?,
            Err(stopped) => {
                self.store.roll_back(transaction).await;
                return Err(stopped);
            }
        }
        self.checkpoint = read_to;
        Ok(())
    }

    async fn apply<P: Projection<S>>(
        &self,
        projection: &mut P,
        events: Vec<RecordedEvent>,
        read_to: Position,
        transaction: &mut S::Transaction,
    ) -> Result<(), StopReason> {
        // First, so that another runner of the same projection waits here and then sees that it is late.
        let (from, to) = (self.checkpoint, read_to);
        self.store
            .advance_checkpoint(transaction, &self.name, from, to)
            .await?;
        for event in events {
            let event = match FollowError::decode_of_interest(event) {
                Ok(Some(event)) => event,
                Ok(None) => continue,
                Err(error) => match projection.undecodable(&error) {
                    OnUndecodable::Skip => continue,
                    OnUndecodable::Stop => return Err(StopReason::Event(Kind::Undecodable(error))),
                },
            };
            let (position, stream_id) = (event.position, event.stream_id.clone());
            if let Err(source) = projection.apply(event, transaction).await {
                let passing = self.store.is_passing(&*source);
                let kind = Kind::Apply {
                    position,
                    stream_id,
                    source,
                };
                return Err(if passing {
                    StopReason::Passing(kind)
                } else {
                    StopReason::Event(kind)
                });
            }
        }
        Ok(())
    }

    /// Waits before the next attempt, or gives the reason back when there is none to be made.
    async fn back_off(&mut self, kind: Kind) -> Result<(), Kind> {
        self.failed = self.failed.saturating_add(1);
        match self.options.retry.wait_after(self.failed) {
            None => Err(kind),
            Some(wait) => {
                self.store.sleep(wait).await;
                Ok(())
            }
        }
    }
}

impl From<StoreError> for StopReason {
    fn from(error: StoreError) -> Self {
        if error.is_lease_lost() {
            Self::Overtaken
        } else {
            Self::Store(error)
        }
    }
}
