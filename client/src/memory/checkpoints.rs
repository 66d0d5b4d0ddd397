//! Projections on the store in memory: their checkpoints, and transactions that move them.

use std::collections::HashMap;
use std::fmt;

use super::InMemoryEventStore;
use crate::projection::ProjectionStore;
use crate::store::StoreError;
use crate::values::{Position, ProjectionName};

/// The checkpoint of each projection.
pub(super) type Checkpoints = HashMap<ProjectionName, Position>;

/// The changes of a batch of events, carried out when the batch is committed.
///
/// A projection on the store in memory usually keeps its read model in a map behind an
/// `Arc<Mutex<…>>`. If it changes the map with [`on_commit`](Self::on_commit), the change happens
/// together with the move of the checkpoint. A batch that fails then changes nothing, and with two
/// runners each event still takes effect once.
#[derive(Default)]
pub struct MemoryTransaction {
    changes: Vec<Box<dyn FnOnce() + Send>>,
    advances: Vec<(ProjectionName, Position, Position)>,
}

impl MemoryTransaction {
    /// Calls this function when the transaction is committed, after the functions that were added
    /// before. It is not called without a commit. No other commit happens meanwhile. The function
    /// must not call the store.
    pub fn on_commit(&mut self, change: impl FnOnce() + Send + 'static) {
        self.changes.push(Box::new(change));
    }
}

impl ProjectionStore for InMemoryEventStore {
    type Transaction = MemoryTransaction;

    async fn checkpoint(&self, projection: &ProjectionName) -> Result<Position, StoreError> {
        let checkpoints = self.shared.checkpoints();
        Ok(checkpoints.get(projection).copied().unwrap_or_default())
    }

    async fn begin(&self) -> Result<MemoryTransaction, StoreError> {
        Ok(MemoryTransaction::default())
    }

    async fn advance_checkpoint(
        &self,
        transaction: &mut MemoryTransaction,
        projection: &ProjectionName,
        from: Position,
        to: Position,
    ) -> Result<(), StoreError> {
        let stands_at = self.checkpoint(projection).await?;
        expect(projection, from, stands_at)?;
        transaction.advances.push((projection.clone(), from, to));
        Ok(())
    }

    async fn commit(&self, transaction: MemoryTransaction) -> Result<(), StoreError> {
        let mut checkpoints = self.shared.checkpoints();
        for (projection, from, _) in &transaction.advances {
            let stands_at = checkpoints.get(projection).copied().unwrap_or_default();
            expect(projection, *from, stands_at)?;
        }
        for change in transaction.changes {
            change();
        }
        for (projection, _, to) in transaction.advances {
            checkpoints.insert(projection, to);
        }
        Ok(())
    }

    async fn roll_back(&self, _: MemoryTransaction) {}
}

impl fmt::Debug for MemoryTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransaction")
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}

fn expect(
    projection: &ProjectionName,
    expected: Position,
    actual: Position,
) -> Result<(), StoreError> {
    if expected == actual {
        return Ok(());
    }
    let reason = format!("projection {projection:?} is at {actual}, expected {expected}");
    Err(StoreError::lease_lost(Vec::new()).with_source(reason))
}
