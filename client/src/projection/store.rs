//! [`ProjectionStore`]: a store that keeps the checkpoints of projections.

use std::error::Error;

use crate::store::StoreError;
use crate::subscription::EventSubscription;
use crate::values::{Position, ProjectionName};

/// A store that keeps the checkpoints of projections, in transactions that a projection can write in.
pub trait ProjectionStore: EventSubscription {
    /// What a projection writes with. Dropped without a commit, it has changed nothing.
    type Transaction: Send;

    /// How far the projection has come.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn checkpoint(
        &self,
        projection: &ProjectionName,
    ) -> impl Future<Output = Result<Position, StoreError>> + Send;

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, StoreError>> + Send;

    /// Moves the checkpoint in the transaction. Done first, it keeps another runner of the projection
    /// from the same events.
    ///
    /// # Errors
    ///
    /// The checkpoint is elsewhere (SE008, [`StoreError::is_lease_lost`]): another runner was here. This
    /// may also be found out by [`commit`](Self::commit).
    fn advance_checkpoint(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionName,
        from: Position,
        to: Position,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// As [`advance_checkpoint`](Self::advance_checkpoint), or the connection is lost: then it is
    /// unknown whether it was committed.
    fn commit(
        &self,
        transaction: Self::Transaction,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Undoes the transaction.
    fn roll_back(&self, transaction: Self::Transaction) -> impl Future<Output = ()> + Send;

    /// Whether an error that a projection returned is one of the store's that passes. By default it is
    /// if it comes from a [`StoreError`] that does.
    fn is_passing(&self, error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<StoreError>() {
                return error.is_retriable();
            }
            cause = error.source();
        }
        false
    }
}
