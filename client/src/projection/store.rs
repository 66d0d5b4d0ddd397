//! [`ProjectionStore`]: a store that keeps checkpoints of projections.

use std::error::Error;

use crate::store::StoreError;
use crate::subscription::EventSubscription;
use crate::values::{Position, ProjectionName};

/// A store that keeps checkpoints of projections, in transactions that the projections can write
/// to.
pub trait ProjectionStore: EventSubscription {
    /// The transaction that a projection writes with. If it is dropped without a commit, it changes
    /// nothing.
    type Transaction: Send;

    /// The checkpoint of the projection: the position up to which it has applied all events.
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

    /// Moves the checkpoint in the transaction. As the first statement, it keeps other runners of
    /// the projection from applying the same events.
    ///
    /// # Errors
    ///
    /// The checkpoint is not at `from` (SE008, [`StoreError::is_lease_lost`]): another runner has
    /// moved it. A store may report this only at [`commit`](Self::commit).
    fn advance_checkpoint(
        &self,
        transaction: &mut Self::Transaction,
        projection: &ProjectionName,
        from: Position,
        to: Position,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Commits everything or nothing.
    ///
    /// # Errors
    ///
    /// Like [`advance_checkpoint`](Self::advance_checkpoint); or the connection is lost, and it is
    /// unknown whether the transaction was committed.
    fn commit(
        &self,
        transaction: Self::Transaction,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Rolls the transaction back.
    fn roll_back(&self, transaction: Self::Transaction) -> impl Future<Output = ()> + Send;

    /// Whether an error that a projection returned is a temporary error of the store. By default
    /// true if the error comes from a retriable [`StoreError`].
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
