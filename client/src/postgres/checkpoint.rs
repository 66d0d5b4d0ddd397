//! The checkpoints of projections on PostgreSQL, moved in the transaction that the projection
//! writes to.

use std::error::Error;

use tokio_postgres::types::Type;

use super::error::store_error;
use super::row::{from_bigint, to_bigint};
use super::sqlstate::Rule;
use super::{PostgresEventStore, PostgresTransaction};
use crate::projection::ProjectionStore;
use crate::store::StoreError;
use crate::values::{Position, ProjectionName};

const CHECKPOINT: &str = "SELECT eventcore_checkpoint($1::text)";

const ADVANCE: &str = "SELECT eventcore_advance_checkpoint($1::text, $2::bigint, $3::bigint)";

impl ProjectionStore for PostgresEventStore {
    type Transaction = PostgresTransaction;

    async fn checkpoint(&self, projection: &ProjectionName) -> Result<Position, StoreError> {
        let pool = &self.inner.pool;
        let row = pool.query_one(CHECKPOINT, &[&projection.as_str()]).await?;
        from_bigint(row.try_get(0).map_err(store_error)?).map(Position::new)
    }

    async fn begin(&self) -> Result<PostgresTransaction, StoreError> {
        PostgresTransaction::begin(&self.inner.pool).await
    }

    async fn advance_checkpoint(
        &self,
        transaction: &mut PostgresTransaction,
        projection: &ProjectionName,
        from: Position,
        to: Position,
    ) -> Result<(), StoreError> {
        let (from, to) = (to_bigint(from.get()), to_bigint(to.get()));
        transaction
            .query_typed(
                ADVANCE,
                &[
                    (&projection.as_str(), Type::TEXT),
                    (&from, Type::INT8),
                    (&to, Type::INT8),
                ],
            )
            .await
            .map(|_| ())
            .map_err(store_error)
    }

    async fn commit(&self, transaction: PostgresTransaction) -> Result<(), StoreError> {
        transaction.commit().await
    }

    async fn roll_back(&self, transaction: PostgresTransaction) {
        transaction.roll_back().await;
    }

    fn is_passing(&self, error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<StoreError>() {
                return error.is_retriable();
            }
            if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
                return Rule::of(error).passes();
            }
            cause = error.source();
        }
        false
    }
}
