//! [`Service`]: the parts of the program, put together, and their end.

use std::io;
use std::sync::{Arc, OnceLock};

use eventcore::{
    CorrelationId, Filter, InMemoryEventStore, InvalidValue, Position, PostgresEventStore,
    StoreError,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Projections};
use crate::http::{App, Settings, router};
use crate::outside::{Outside, OverHttp};
use crate::read_models::{ReadError, ReadModels};
use crate::seed::SeedError;
use crate::store::{Store, with};
use crate::supervise::for_ever;
use crate::{fulfilment, sagas, seed};

/// The service: what answers requests, and what works behind it.
pub struct Service {
    app: App,
    behind: JoinSet<()>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The tables or the projection cannot be made.
    #[error("the read models cannot be installed")]
    ReadModels(#[from] ReadError),
    /// The client for the partners cannot be made.
    #[error("the partners cannot be called")]
    Partners(#[from] reqwest::Error),
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidValue),
    /// The metrics cannot be kept.
    #[error("the metrics cannot be kept")]
    Metrics(#[from] BuildError),
}

impl Service {
    /// Connects, installs what is missing, and starts what works behind the API.
    ///
    /// # Errors
    ///
    /// The store or the partners cannot be used.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let store = match &config.database_url {
            None => Store::Memory(InMemoryEventStore::new()),
            Some(url) => {
                let builder = PostgresEventStore::builder(url)?.pool_size(config.max_connections);
                Store::Postgres(builder.connect().await?)
            }
        };
        let outside = match &config.partners_url {
            None => Outside::in_process(),
            Some(url) => {
                let partners = Arc::new(OverHttp::new(url, config.partners_timeout)?);
                Outside {
                    payments: partners.clone(),
                    carrier: partners,
                }
            }
        };
        Self::start_with(config, store, outside).await
    }

    /// The same with this store and these partners.
    ///
    /// # Errors
    ///
    /// The read models cannot be installed.
    pub async fn start_with(
        config: &Config,
        store: Store,
        outside: Outside,
    ) -> Result<Self, StartError> {
        let in_server = config.projections == Projections::Server;
        let app = App {
            read_models: ReadModels::of(&store, in_server)?,
            store,
            settings: Arc::new(Settings {
                body_limit: config.body_limit,
                fulfil_wait: config.fulfil_wait,
                read_wait: config.read_wait,
            }),
            metrics: metrics()?,
            shutdown: CancellationToken::new(),
        };
        app.read_models.install().await?;

        let mut behind = JoinSet::new();
        let read_models = app.read_models.clone();
        behind.spawn(for_ever("the projection", move || {
            let read_models = read_models.clone();
            async move { read_models.run().await }
        }));
        let store = app.store.clone();
        behind.spawn(for_ever("the count of fulfilments", move || {
            sagas::count(store.clone())
        }));
        for _ in 0..config.runners {
            let outside = outside.clone();
            with!(app.store.clone(), |store| behind
                .spawn(fulfilment::run(store, outside)));
        }
        Ok(Self { app, behind })
    }

    /// What the routes share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Where the events are kept, in words.
    pub fn kept(&self) -> &'static str {
        match (&self.app.store, &self.app.read_models) {
            (Store::Memory(_), _) => "in memory",
            (_, ReadModels::Server(_)) => "on PostgreSQL, read models inside the server",
            _ => "on PostgreSQL, read models in this process",
        }
    }

    /// Fills the shop with sample data, unless there is an event.
    ///
    /// # Errors
    ///
    /// The store fails.
    pub async fn seed_if_empty(&self) -> Result<(), SeedError> {
        match self.app.store.newest(Filter::all()).await? {
            Position::START => {
                seed::seed(&self.app.store, 24, CorrelationId::new()).await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Answers requests until the future ends. Then those under way are answered, and live updates
    /// end. What works behind is stopped in between its steps: it goes on after the next start.
    ///
    /// # Errors
    ///
    /// The listener fails.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let shutdown = self.app.shutdown.clone();
        let end = async move {
            end.await;
            shutdown.cancel();
        };
        axum::serve(listener, router(self.app))
            .with_graceful_shutdown(end)
            .await?;
        self.behind.shutdown().await;
        Ok(())
    }
}

/// The metrics of this process; there is one recorder, however many services there are.
fn metrics() -> Result<PrometheusHandle, BuildError> {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let seconds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ];
    let recorder = PrometheusBuilder::new()
        .set_buckets(&seconds)?
        .build_recorder();
    // Of several threads, one makes its recorder that of the process, and all get its handle.
    let handle = RECORDER.get_or_init(|| {
        let handle = recorder.handle();
        if let Err(error) = metrics::set_global_recorder(recorder) {
            tracing::warn!(%error, "the metrics of this process go elsewhere");
        }
        handle
    });
    Ok(handle.clone())
}
