//! The projection inside the server: its installation, its checkpoint, its rebuild.

use eventcore::{Position, PostgresEventStore, ProjectionStore};

use super::order_row::unsigned;
use super::postgres::{self, query};
use super::{NAME, ReadError};

const TABLES: &str = include_str!("../../sql/tables.sql");
const PROJECTION: &str = include_str!("../../sql/projection.sql");

/// Of those who start at the same time, one installs and the others wait.
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('orders.install'))";

const CREATE: &str = "SELECT eventcore_create_projection('shop', 'project_shop',
    stream_prefixes => '{order-,product-,stock-}', batch_size => 500, tables => '{orders,customers,inventory}')
    WHERE NOT EXISTS (SELECT FROM eventcore.projections WHERE name = 'shop')";

const DROP: &str = "SELECT eventcore_drop_projection('shop')
    WHERE EXISTS (SELECT FROM eventcore.projections WHERE name = 'shop')";

const EMPTY: &str = "TRUNCATE orders, customers, inventory";

/// Makes the tables, and creates or drops the projection. When the read models move into the server
/// or out of it, the tables are emptied and written again from the first event.
pub(super) async fn install(store: &PostgresEventStore, in_server: bool) -> Result<(), ReadError> {
    let mut transaction = store.begin().await?;
    transaction.batch_execute(LOCK).await?;
    transaction.batch_execute(TABLES).await?;
    transaction.batch_execute(PROJECTION).await?;
    let is_there = !transaction.query_typed(EXISTS, &[]).await?.is_empty();
    let name = super::follow::name()?;
    if in_server != is_there {
        transaction.batch_execute(EMPTY).await?;
        transaction
            .batch_execute(if in_server { CREATE } else { DROP })
            .await?;
        let checkpoint = store.checkpoint(&name).await?;
        if checkpoint > Position::START {
            let start = Position::START;
            store
                .advance_checkpoint(&mut transaction, &name, checkpoint, start)
                .await?;
        }
    }
    store.commit(transaction).await?;
    Ok(())
}

const EXISTS: &str = "SELECT FROM eventcore.projections WHERE name = 'shop'";

const CHECKPOINT: &str = "SELECT checkpoint FROM eventcore.projections WHERE name = 'shop'";

pub(super) async fn checkpoint(store: &PostgresEventStore) -> Result<Position, ReadError> {
    let rows = query(store, CHECKPOINT, &[]).await?;
    let row = rows
        .first()
        .ok_or_else(|| ReadError::Row(format!("no projection {NAME}")))?;
    Ok(Position::new(unsigned(row.try_get(0)?)))
}

const REBUILD: &str = "SELECT eventcore_rebuild_projection('shop', shadow => true)";

/// Begins a rebuild beside the tables. The server replaces their rows when it has caught up.
pub(super) async fn rebuild(store: &PostgresEventStore) -> Result<(), ReadError> {
    if postgres::rebuilt(store).await?.is_some() {
        return Err(ReadError::Rebuilding);
    }
    query(store, REBUILD, &[]).await?;
    Ok(())
}
