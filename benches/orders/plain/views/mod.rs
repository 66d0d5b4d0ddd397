//! Four read models, and the processor that hands each event to all of them.

mod current_orders;
mod customer_orders;
mod inventory;
mod order_history;

use std::sync::Arc;

use tokio::sync::RwLock;

pub(crate) use current_orders::CurrentOrders;

use super::{Answer, Envelope, EventStore, Failure};
use customer_orders::CustomerOrders;
use inventory::Inventory;
use order_history::OrderHistory;

pub(crate) trait Projection: Send + Sync {
    fn handle<'a>(&'a self, event: &'a Envelope) -> Answer<'a, ()>;
    fn reset(&self) -> Answer<'_, ()>;
}

/// Hands events to all read models.
pub(crate) struct Processor {
    pub(crate) current: Arc<CurrentOrders>,
    projections: Vec<Arc<dyn Projection>>,
    /// How many events were handed out.
    checkpoint: RwLock<usize>,
}

impl Processor {
    pub(crate) fn new() -> Self {
        let current = Arc::new(CurrentOrders::default());
        Self {
            projections: vec![
                current.clone(),
                Arc::new(OrderHistory::default()),
                Arc::new(CustomerOrders::default()),
                Arc::new(Inventory::default()),
            ],
            current,
            checkpoint: RwLock::default(),
        }
    }

    pub(crate) async fn process_event(&self, event: &Envelope) -> Result<(), Failure> {
        for projection in &self.projections {
            projection.handle(event).await?;
        }
        *self.checkpoint.write().await += 1;
        Ok(())
    }

    pub(crate) async fn run_catch_up(&self, store: &dyn EventStore) -> Result<(), Failure> {
        let handled = *self.checkpoint.read().await;
        for event in store.all().await?.iter().skip(handled) {
            self.process_event(event).await?;
        }
        Ok(())
    }

    pub(crate) async fn rebuild_all(&self, store: &dyn EventStore) -> Result<(), Failure> {
        for projection in &self.projections {
            projection.reset().await?;
        }
        *self.checkpoint.write().await = 0;
        self.run_catch_up(store).await
    }
}
