//! [`run_projection`]: follows the events, and commits batches of them together with the
//! checkpoint.

use std::convert::Infallible;

use super::error::Kind;
use super::{
    OnDiverged, OnUndecodable, Projection, ProjectionError, ProjectionOptions, ProjectionStore,
};
use crate::store::{RecordedEvent, StoreError};
use crate::subscription::{FollowError, Subscribe};
use crate::values::{Position, ProjectionName};

/// After this many positions without a matching event, the checkpoint moves on its own.
const WORTH_A_CHECKPOINT: u64 = 10_000;

/// Runs a projection forever: applies all events after its checkpoint, then those to come.
///
/// To stop it, drop the future: nothing is half committed. It may run in several processes at once;
/// they take turns, and each event takes effect once. Temporary failures, such as a lost
/// connection, are tried again.
///
/// # Errors
///
/// The projection returned an error, or an event does not fit its event type: the error names the
/// event, and the checkpoint is before its batch. Or the store refuses a request.
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
        // Without a position to end at, this returns only errors.
        run_projection_with(store, projection, &options).await?;
    }
}

/// Runs a projection until it has applied everything up to a position, and possibly more.
///
/// # Errors
///
/// Like [`run_projection`].
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

/// Like [`run_projection`], with your own options.
///
/// # Errors
///
/// Like [`run_projection`].
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
    /// The checkpoint, as far as this runner knows.
    checkpoint: Position,
    /// How many times in a row the store has failed.
    failed: u32,
}

/// Why a batch was not committed, or may not have been committed.
enum StopReason {
    /// Another runner has moved the checkpoint.
    Overtaken,
    Store(StoreError),
    Event(Kind),
    /// A temporary error of the store that the projection returned.
    Passing(Kind),
}

impl<S: ProjectionStore> Run<'_, S> {
    /// Starts at the checkpoint, and starts again whenever the checkpoint may have changed.
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

    /// Handles an error that says that the store has another history than the events that were read last. What was read
    /// after the checkpoint has left no effect: the checkpoint was stored together with its effects. So this only asks the
    /// projection if the checkpoint itself belongs to another history.
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

    /// Moves the checkpoint back to the position up to which both histories are the same.
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

    /// Applies a page and moves the checkpoint in the same transaction.
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
        // First, so that another runner of this projection waits here and then finds that the
        // checkpoint has moved.
        let (from, to) = (self.checkpoint, read_to);
        self.store
            .advance_checkpoint(transaction, &self.name, from, to)
            .await?;
        for event in events {
            let event = match FollowError::decode_or_skip(event) {
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

    /// Waits before the next attempt; returns the reason if there is none.
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
