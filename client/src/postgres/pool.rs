//! The pool of connections, and statements on them.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, RecyclingMethod, Runtime,
};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

use super::builder::Builder;
use super::error::{pool_error, store_error};
use super::server::Server;
use crate::StoreError;

pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    /// Not behind a pooler that changes the session beneath a connection.
    prepares: bool,
}

/// What the server says of a statement that another session prepared does not tell what to do.
#[derive(Debug, thiserror::Error)]
#[error(
    "the session has changed beneath the connection, as behind a pooler in transaction mode: say so \
     to the store by transaction_pooling(true)"
)]
struct OtherSession(#[source] Error);

const SET_STATEMENT_TIMEOUT: &str =
    "SELECT pg_catalog.set_config('statement_timeout', $1::text, false)";

impl Pool {
    pub(super) fn new(settings: &Builder, server: Server) -> Result<Self, StoreError> {
        let fast = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let limit = server.limit();
        let manager = Manager::from_connect(server.config().clone(), server, fast);
        let mut pool = deadpool_postgres::Pool::builder(manager)
            .max_size(settings.pool_size)
            .wait_timeout(Some(settings.pool_timeout))
            .create_timeout(limit)
            .runtime(Runtime::Tokio1);
        if let Some(timeout) = settings.statement_timeout {
            pool = pool.post_create(set_statement_timeout(timeout));
        }
        Ok(Self {
            connections: pool.build().map_err(StoreError::other)?,
            prepares: !settings.transaction_pooling,
        })
    }

    /// One of its connections, for a transaction.
    pub(super) async fn client(&self) -> Result<Object, StoreError> {
        self.connections.get().await.map_err(pool_error)
    }

    /// Runs a statement, prepared once for each connection where that is possible. It gives each of its
    /// parameters a type, `$1::text[]`.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        debug_assert!(
            parameter_types(sql, parameters.len()).is_some(),
            "a parameter has no type of ours: {sql}"
        );
        let busy = Busy(Some(self.client().await?));
        let Some(client) = &busy.0 else {
            return Err(StoreError::other("there is no connection"));
        };
        let rows = if self.prepares {
            prepared(client, sql, parameters).await
        } else {
            let types = parameter_types(sql, parameters.len())
                .ok_or_else(|| StoreError::other("a parameter has no type of ours"))?;
            let typed: Vec<_> = parameters.iter().copied().zip(types).collect();
            client.query_typed(sql, &typed).await
        };
        match rows {
            Err(error) if self.prepares && has_lost_statements(&error) => {
                // Out of the pool, lest it fail again: what is known of its statements is wrong.
                busy.give_up();
                Err(StoreError::other(OtherSession(error)))
            }
            rows => {
                busy.give_back();
                rows.map_err(store_error)
            }
        }
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

/// How long a connection has for the answer to a call that was dropped, before it is given up.
const GRACE: Duration = Duration::from_millis(500);

/// A connection that waits for an answer. When the call is dropped before that, the connection goes back to the
/// pool only once the answer is there: whoever got it before would wait for that answer too.
struct Busy(Option<Object>);

impl Busy {
    fn give_back(mut self) {
        drop(self.0.take());
    }

    fn give_up(mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return drop(Object::take(client));
        };
        runtime.spawn(async move {
            // Answered after all that was asked before it.
            let answered = tokio::time::timeout(GRACE, client.simple_query("")).await;
            if !matches!(answered, Ok(Ok(_))) {
                drop(Object::take(client));
            }
        });
    }
}

fn has_lost_statements(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::DUPLICATE_PSTATEMENT | &SqlState::INVALID_SQL_STATEMENT_NAME)
    )
}

/// Runs a statement that is prepared on the connection when it is first used there.
async fn prepared(
    client: &Object,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let statement = client.prepare_cached(sql).await?;
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
