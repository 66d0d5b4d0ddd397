//! The pool of connections, and statements on them.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use futures_core::future::BoxFuture;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::connection::Connection;
use super::error::{is_no_function, no_function, pool_error, store_error};
use super::server::{NoConnection, Server};
use super::sqlstate::{Meaning, Rule};
use crate::store::StoreError;

pub(super) struct Pool {
    connections: managed::Pool<Connections>,
    /// False behind a pooler that changes the session beneath a connection.
    prepares: bool,
}

/// The settings of a pool.
#[derive(Debug, Clone)]
pub(super) struct PoolSettings {
    pub(super) size: usize,
    /// The longest wait for a connection while all are in use.
    pub(super) timeout: Duration,
    pub(super) statement_timeout: Option<Duration>,
    pub(super) transaction_pooling: bool,
}

/// A connection that a pool has lent out.
pub(super) type PooledConnection = managed::Object<Connections>;

/// Makes connections and checks them.
pub(super) struct Connections {
    server: Server,
    statement_timeout: Option<Duration>,
}

/// Tells what to do. The server only says that a prepared statement does not exist or exists
/// already.
#[derive(Debug, thiserror::Error)]
#[error(
    "the connection has another session than before, as behind a pooler in transaction mode: build the store \
     with transaction_pooling(true)"
)]
struct OtherSession(#[source] Error);

const SET_STATEMENT_TIMEOUT: &str =
    "SELECT pg_catalog.set_config('statement_timeout', $1::text, false)";

/// The version of the extension, if its functions are within the search path.
const VERSION: &str = "\
SELECT e.extversion
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
 WHERE e.extname = 'eventcore' AND n.nspname = ANY (pg_catalog.current_schemas(true))";

impl Pool {
    pub(super) fn new(settings: &PoolSettings, server: Server) -> Result<Self, StoreError> {
        let limit = server.limit();
        let connections = Connections {
            server,
            statement_timeout: settings.statement_timeout,
        };
        let pool = managed::Pool::builder(connections)
            .max_size(settings.size)
            .wait_timeout(Some(settings.timeout))
            .create_timeout(limit)
            .runtime(Runtime::Tokio1);
        Ok(Self {
            connections: pool.build().map_err(StoreError::other)?,
            prepares: !settings.transaction_pooling,
        })
    }

    /// A connection of the pool, for a transaction.
    pub(super) async fn client(&self) -> Result<PooledConnection, StoreError> {
        self.connections.get().await.map_err(pool_error)
    }

    /// Runs a statement, prepared once for each connection if possible. The text must give each
    /// parameter a type, as in `$1::text[]`.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let (rows, is_unconfirmed) = self.run(sql, parameters).await?;
        match is_unconfirmed {
            true => Err(StoreError::unconfirmed()),
            false => Ok(rows),
        }
    }

    /// The same for writes that may be lost with the server: it does not matter whether a standby
    /// confirmed them.
    pub(super) async fn query_unconfirmed(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.run(sql, parameters).await.map(|(rows, _)| rows)
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

    /// The rows, and whether a commit was not confirmed by the standbys. Boxed, because every call
    /// of a store ends here, and in a build without optimisations the nested futures would
    /// otherwise be too large for a thread's stack.
    fn run<'a>(
        &'a self,
        sql: &'static str,
        parameters: &'a [&'a (dyn ToSql + Sync)],
    ) -> BoxFuture<'a, Result<(Vec<Row>, bool), StoreError>> {
        Box::pin(self.run_here(sql, parameters))
    }

    async fn run_here(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<(Vec<Row>, bool), StoreError> {
        debug_assert!(
            parameter_types(sql, parameters.len()).is_some(),
            "a parameter of the statement has no known type: {sql}"
        );
        let busy = Busy(Some(self.client().await?));
        let Some(client) = &busy.0 else {
            return Err(StoreError::other("there is no connection"));
        };
        // Ignore a warning from an earlier call that was dropped.
        client.take_unconfirmed();
        let rows = if self.prepares {
            prepared(client, sql, parameters).await
        } else {
            let types = parameter_types(sql, parameters.len()).ok_or_else(|| {
                StoreError::other("a parameter of the statement has no known type")
            })?;
            let typed: Vec<_> = parameters.iter().copied().zip(types).collect();
            Box::pin(client.query_typed(sql, &typed)).await
        };
        let is_unconfirmed = client.take_unconfirmed();
        match rows {
            Ok(rows) => {
                busy.give_back();
                Ok((rows, is_unconfirmed))
            }
            Err(error) => {
                let rule = Rule::of(&error);
                if is_no_function(&error) {
                    let version = Box::pin(client.query_typed(VERSION, &[])).await;
                    let version = version.ok().and_then(|rows| rows.first()?.try_get(0).ok());
                    busy.give_back();
                    return Err(no_function(error, version).not_done());
                }
                match rule.keeps_connection {
                    true => busy.give_back(),
                    false => busy.give_up(),
                }
                if self.prepares && rule.meaning == Meaning::OtherSession {
                    return Err(StoreError::other(OtherSession(error)).not_done());
                }
                Err(store_error(error))
            }
        }
    }
}

impl Connections {
    async fn connect(&self) -> Result<Connection, NoConnection> {
        // Boxed, because the nested future would otherwise be too deep for the compiler.
        let (client, connection) = Box::pin(self.server.connect()).await?;
        let connection = Connection::new(client, connection);
        if let Some(timeout) = self.statement_timeout {
            // Not as a start-up option, which poolers refuse.
            let milliseconds = timeout.as_millis().to_string();
            connection
                .query_one(SET_STATEMENT_TIMEOUT, &[&milliseconds])
                .await?;
        }
        Ok(connection)
    }
}

impl managed::Manager for Connections {
    /// Boxed, because the pool moves it several times whenever it lends or takes it back.
    type Type = Box<Connection>;
    type Error = NoConnection;

    async fn create(&self) -> Result<Box<Connection>, NoConnection> {
        // Boxed, because every call of a store has room for this future.
        Box::pin(self.connect()).await.map(Box::new)
    }

    async fn recycle(
        &self,
        connection: &mut Box<Connection>,
        _: &Metrics,
    ) -> RecycleResult<NoConnection> {
        match connection.is_closed() {
            true => Err(RecycleError::message("the connection is closed")),
            false => Ok(()),
        }
    }
}

/// How long a connection may take to answer a call that was dropped, before it is closed.
const GRACE: Duration = Duration::from_millis(500);

/// A connection that waits for an answer. If the call is dropped before, the connection returns to
/// the pool only after the answer has arrived; otherwise the next user would have to wait for that
/// answer too.
struct Busy(Option<PooledConnection>);

impl Busy {
    fn give_back(mut self) {
        drop(self.0.take());
    }

    fn give_up(mut self) {
        drop(self.0.take().map(PooledConnection::take));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return drop(PooledConnection::take(client));
        };
        runtime.spawn(async move {
            // The answer to this arrives after all earlier answers.
            let answered = tokio::time::timeout(GRACE, client.simple_query("")).await;
            if !matches!(answered, Ok(Ok(_))) {
                drop(PooledConnection::take(client));
            }
        });
    }
}

/// Runs a statement that is prepared at its first use on the connection.
async fn prepared(
    client: &Connection,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = client.prepared(sql).await?;
    client.query(&statement, parameters).await
}

/// The types that a statement's text gives its first `count` parameters.
fn parameter_types(sql: &str, count: usize) -> Option<Vec<Type>> {
    (1..=count)
        .map(|number| type_named(cast(sql, number)?))
        .collect()
}

/// What follows `$n::`.
fn cast(sql: &str, number: usize) -> Option<&str> {
    let (_, after) = sql.split_once(&format!("${number}::"))?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_[]".contains(letter);
    after.split(|letter| !is_name(letter)).next()
}

fn type_named(name: &str) -> Option<Type> {
    Some(match name {
        "boolean" => Type::BOOL,
        "integer" => Type::INT4,
        "bigint" => Type::INT8,
        "bigint[]" => Type::INT8_ARRAY,
        "float8" => Type::FLOAT8,
        "text" => Type::TEXT,
        "text[]" => Type::TEXT_ARRAY,
        "uuid" => Type::UUID,
        "uuid[]" => Type::UUID_ARRAY,
        "jsonb" => Type::JSONB,
        "jsonb[]" => Type::JSONB_ARRAY,
        "timestamptz" => Type::TIMESTAMPTZ,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_parameters_are_taken_from_the_statement() {
        let sql = "SELECT f($2::bigint[], $1::text,$3::uuid), $1, $10::boolean, $11::integer";
        assert_eq!(
            parameter_types(sql, 3),
            Some(vec![Type::TEXT, Type::INT8_ARRAY, Type::UUID])
        );
        assert_eq!(cast(sql, 10), Some("boolean"));
        assert_eq!(cast(sql, 11), Some("integer"));
        assert_eq!(parameter_types("SELECT 1", 0), Some(Vec::new()));
    }

    #[test]
    fn a_parameter_without_a_type_and_a_type_that_is_not_known_are_noticed() {
        assert_eq!(parameter_types("SELECT f($1, $2::text)", 2), None);
        assert_eq!(parameter_types("SELECT f($1::money)", 1), None);
    }
}
