//! The pool of connections, and the one place where connections are made.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Config, Connection, NoTls, Row, Socket, tls::NoTlsStream};

use super::builder::Builder;
use super::error::{pool_error, store_error};
use crate::StoreError;

pub(super) struct Pool(deadpool_postgres::Pool);

const SET_STATEMENT_TIMEOUT: &str =
    "SELECT pg_catalog.set_config('statement_timeout', $1::text, false)";

impl Pool {
    pub(super) fn new(settings: &Builder) -> Result<Self, StoreError> {
        let fast = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(settings.config.clone(), NoTls, fast);
        let mut pool = deadpool_postgres::Pool::builder(manager)
            .max_size(settings.pool_size)
            .wait_timeout(Some(settings.pool_timeout))
            .runtime(Runtime::Tokio1);
        if let Some(timeout) = settings.statement_timeout {
            pool = pool.post_create(set_statement_timeout(timeout));
        }
        pool.build().map(Self).map_err(StoreError::other)
    }

    /// Runs a statement, prepared once for each connection.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.0.get().await.map_err(pool_error)?;
        let statement = client.prepare_cached(sql).await.map_err(store_error)?;
        client
            .query(&statement, parameters)
            .await
            .map_err(store_error)
    }

    /// Runs a statement that returns one row.
    pub(super) async fn query_one(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, StoreError> {
        let rows = self.query(sql, parameters).await?;
        rows.into_iter()
            .next()
            .ok_or_else(|| StoreError::other("the server returned no row"))
    }
}

/// A connection beside the pool.
pub(super) async fn connect(
    config: &Config,
) -> Result<(tokio_postgres::Client, Connection<Socket, NoTlsStream>), tokio_postgres::Error> {
    config.connect(NoTls).await
}

fn set_statement_timeout(timeout: Duration) -> Hook {
    // Not as a start-up option, which poolers refuse.
    let milliseconds = timeout.as_millis().to_string();
    Hook::async_fn(move |client, _| {
        let milliseconds = milliseconds.clone();
        Box::pin(async move {
            let set = client
                .query_one(SET_STATEMENT_TIMEOUT, &[&milliseconds])
                .await;
            set.map(drop).map_err(HookError::Backend)
        })
    })
}
