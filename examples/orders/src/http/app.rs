//! [`App`]: what the routes share.

use std::sync::Arc;
use std::time::Duration;

use eventcore::{AsyncCommandLogic, ExecuteOptions, Execution, StreamId};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use super::Problem;
use super::asked::Asked;
use crate::commands::Known;
use crate::domain::{OrderId, Product, ProductId, ShopEvent};
use crate::read_models::ReadModels;
use crate::store::Store;

/// What the routes share.
#[derive(Clone)]
pub struct App {
    /// Where the events go.
    pub store: Store,
    /// What is made of them.
    pub read_models: ReadModels,
    /// Limits.
    pub settings: Arc<Settings>,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
    /// Ends what would never end by itself.
    pub shutdown: CancellationToken,
}

/// The limits of the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The largest body of a request, in bytes.
    pub body_limit: usize,
    /// How long `POST /orders/{id}/fulfill` waits for the end.
    pub fulfil_wait: Duration,
    /// How long a list waits for the read models.
    pub read_wait: Duration,
}

impl App {
    /// Executes a command for a request.
    pub(super) async fn execute<C: AsyncCommandLogic>(
        &self,
        command: &C,
        asked: &Asked,
    ) -> Result<Execution, Problem> {
        let options = ExecuteOptions::new().correlation_id(asked.correlation_id);
        match self.store.execute(command, &options).await {
            Ok(done) => {
                metrics::counter!("commands_executed").increment(1);
                let events = u64::try_from(done.written.len()).unwrap_or_default();
                metrics::counter!("events_appended").increment(events);
                Ok(done)
            }
            Err(error) => {
                metrics::counter!("commands_failed", "aggregate_type" => "Order").increment(1);
                Err(error.into())
            }
        }
    }

    /// What the streams of an order and its fulfilment say now.
    pub(super) async fn known(&self, order: OrderId) -> Result<Known, Problem> {
        let streams = [order.stream(), order.fulfilment()];
        self.read_on(Known::default(), streams).await
    }

    /// What the books of a product say now.
    pub(super) async fn product(&self, id: &ProductId) -> Result<Product, Problem> {
        let known = self.read_on(Known::default(), [id.first_book()]).await?;
        let known = match known.product(id).book {
            0 => known,
            book => self.read_on(known, [id.book(book)]).await?,
        };
        Ok(known.product(id))
    }

    async fn read_on<const N: usize>(
        &self,
        mut known: Known,
        streams: [StreamId; N],
    ) -> Result<Known, Problem> {
        for event in self.store.read(streams).await?.events {
            known = known.apply(&event.decode::<ShopEvent>()?);
        }
        Ok(known)
    }
}
